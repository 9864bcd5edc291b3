//! The `clipqueue` command: parses, dispatches, and says what went wrong.

use std::process::ExitCode;

use clap::Parser as _;
use clipqueue::cli::Cli;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match clipqueue::cli::run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The whole chain, once: each part adds what it knew.
            eprintln!("clipqueue: {error:#}");
            ExitCode::FAILURE
        }
    }
}
