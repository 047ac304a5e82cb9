//! `leakhunt hunt`.

mod account;

use crate::args::{Common, HuntArgs};
use crate::failure::Exit;
use crate::interrupt::Interrupts;
use crate::output::Output;
use crate::target::Target;

pub(super) fn run(args: &HuntArgs, common: &Common, output: &Output) -> anyhow::Result<Exit> {
    let interrupts = Interrupts::listen()?;
    let target = Target::choose(&args.target, output)?;
    let result = account::run_account(args, common, &target, &interrupts, output);
    target.conclude(result, &interrupts, output)
}
