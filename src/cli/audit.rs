//! `clipqueue audit`: verifying and exporting the record of what operators did.

use std::{
    io::{BufRead as _, Write as _},
    path::PathBuf,
    str::FromStr,
};

use anyhow::Context as _;
use clap::Subcommand;

use crate::{
    clock::Clock,
    config::Config,
    domain::audit::{
        chain::Head,
        verify::{self, Verified},
    },
    service::{self, Role},
};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Verify that no entry was changed, deleted or put elsewhere. Fails when one was.
    Verify {
        /// A head that was exported before, as SEQ:HASH: finds a tail that was cut off since.
        #[arg(long, value_name = "SEQ:HASH")]
        head: Option<KnownHead>,
        /// Verify this export and not the database.
        #[arg(long, value_name = "FILE")]
        export: Option<PathBuf>,
    },
    /// Write every entry as a JSON line, and print the head to keep elsewhere.
    Export {
        /// The file.
        file: PathBuf,
    },
}

/// A head as a text.
#[derive(Clone, Debug)]
pub(super) struct KnownHead(Head);

impl FromStr for KnownHead {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const WRONG: &str = "it must be SEQ:HASH, as `clipqueue audit export` prints it";
        let (seq, hash) = text.split_once(':').ok_or(WRONG)?;
        let seq = seq.parse().map_err(|_| WRONG)?;
        if hash.len() != 64 || !hash.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(WRONG);
        }
        let hash = hash.to_ascii_lowercase();
        Ok(Self(Head { seq, hash }))
    }
}

pub(super) async fn run(config: Config, command: Command) -> anyhow::Result<()> {
    match command {
        Command::Verify {
            head,
            export: Some(file),
        } => {
            let lines = std::fs::File::open(&file)
                .with_context(|| format!("opening {}", file.display()))?;
            let lines = std::io::BufReader::new(lines).lines();
            tell(&verify::verify_export(lines, head.map(|known| known.0))?)
        }
        Command::Verify { head, export: None } => {
            let app = service::prepare(&config, &Role::everything(), Clock::System).await?;
            tell(&verify::verify(&app, head.map(|known| known.0)).await?)
        }
        Command::Export { file } => {
            let app = service::prepare(&config, &Role::everything(), Clock::System).await?;
            let out = std::fs::File::create(&file)
                .with_context(|| format!("making {}", file.display()))?;
            let mut out = std::io::BufWriter::new(out);
            let head = verify::export(&app, &mut out).await?;
            out.flush()
                .with_context(|| format!("writing {}", file.display()))?;
            println!("{}:{}", head.seq, head.hash);
            Ok(())
        }
    }
}

fn tell(verified: &Verified) -> anyhow::Result<()> {
    for problem in &verified.problems {
        println!("{}  {}", problem.seq, problem.what);
    }
    println!(
        "{} entries behind {}, {} parts without the names of erased people, head {}:{}",
        verified.entries,
        verified.floor.seq,
        verified.cleared,
        verified.head.seq,
        verified.head.hash
    );
    if verified.compared == Some(false) {
        println!("the head that was given is older than what is kept, and could not be compared");
    }
    anyhow::ensure!(
        verified.problems.is_empty(),
        "the audit log is not as it was written"
    );
    Ok(())
}
