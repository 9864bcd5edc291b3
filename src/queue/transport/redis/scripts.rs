//! The scripts of `src/queue/lua/`, each loaded by the server when it is first called.

use redis::Script;

/// All of them.
pub(super) struct Scripts {
    pub(super) admit: Script,
    pub(super) adopt: Script,
    pub(super) deliver: Script,
    pub(super) take: Script,
    pub(super) extend: Script,
    pub(super) finish: Script,
    pub(super) give_back: Script,
    pub(super) epoch: Script,
    pub(super) acquire: Script,
    pub(super) settle_use: Script,
    pub(super) spend: Script,
    pub(super) standing: Script,
    pub(super) swap_note: Script,
}

impl Scripts {
    pub(super) fn new() -> Self {
        Self {
            admit: Script::new(include_str!("../../lua/admit.lua")),
            adopt: Script::new(include_str!("../../lua/adopt.lua")),
            deliver: Script::new(include_str!("../../lua/deliver.lua")),
            take: Script::new(include_str!("../../lua/take.lua")),
            extend: Script::new(include_str!("../../lua/extend.lua")),
            finish: Script::new(include_str!("../../lua/finish.lua")),
            give_back: Script::new(include_str!("../../lua/give_back.lua")),
            epoch: Script::new(include_str!("../../lua/epoch.lua")),
            acquire: Script::new(include_str!("../../lua/acquire.lua")),
            settle_use: Script::new(include_str!("../../lua/settle_use.lua")),
            spend: Script::new(include_str!("../../lua/spend.lua")),
            standing: Script::new(include_str!("../../lua/standing.lua")),
            swap_note: Script::new(include_str!("../../lua/swap_note.lua")),
        }
    }
}
