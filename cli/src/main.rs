//! The operator's command: one call, one answer, one exit code.

mod args;
mod commands;
mod failure;
mod key_file;
mod leaks;
mod open;
mod output;
mod progress;
mod values;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser as _;

use crate::args::Args;
use crate::failure::Failure;

fn main() -> ExitCode {
    let given: Vec<OsString> = std::env::args_os().collect();
    let wants_json = given.iter().any(|argument| argument == "--json");
    match run(given) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(wants_json),
    }
}

fn run(given: Vec<OsString>) -> Result<(), Failure> {
    leaks::check(&given)?;
    let args = match Args::try_parse_from(given) {
        Ok(args) => args,
        // Help and version are no errors, and go to standard output.
        Err(answer) if !answer.use_stderr() => return answer.print().map_err(Failure::output),
        Err(error) => return Err(Failure::of_arguments(&error)),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::failed(format!("the program cannot start: {error}")))?;
    runtime.block_on(commands::run(&args))
}
