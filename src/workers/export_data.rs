//! `ExportData`: writes everything that is held about a user into an archive, in one go. A try that dies
//! leaves nothing that counts; the next begins anew.

use clipqueue_entities::DataExportId;

use super::{Halt, Step};
use crate::{
    app::App,
    domain::{error::Error, exports},
    queue::Lease,
};

/// Why nobody goes on with an export.
const UNWANTED: &str = "nobody wants the export any more";

pub(super) async fn run(app: &App, lease: &Lease, id: DataExportId, last_attempt: bool) -> Step {
    let ended = Box::pin(written(app, lease, id)).await;
    match ended {
        Ok(true) => Ok(()),
        Ok(false) | Err(Error::NotFound) => match exports::clear(app, id).await? {
            true => Err(Halt::cancel(UNWANTED)),
            false => Ok(()),
        },
        Err(error) => {
            if last_attempt {
                let why = "it could not be written; ask for another one";
                exports::failed(app, id, why).await?;
            }
            Err(error.into())
        }
    }
}

/// False, when nobody wants it any more.
async fn written(app: &App, lease: &Lease, id: DataExportId) -> Result<bool, Error> {
    let row = exports::wanted(app, id).await?;
    exports::started(app, lease, id).await?;
    let written = exports::write::write(app, lease, &row).await?;
    exports::finished(app, lease, id, &written).await
}
