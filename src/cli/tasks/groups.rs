//! What is counted together: where a leak is, its number stands out.

use super::{Item, Place, Task};

/// Tasks of one coroutine, in one state, that stand at one line; coroutines of one function that were
/// never awaited. It reads as in `waiting shop.worker.poll at worker.py:88`.
pub(crate) fn group_of(item: &Item) -> String {
    match item {
        Item::Task(task) => task_group(task),
        Item::Unawaited(one) => {
            format!(
                "never awaited {} at {}",
                one.place.full_name(),
                one.place.at()
            )
        }
    }
}

pub(super) fn task_group(task: &Task) -> String {
    let at = task.chain.first().map(Place::at);
    let at = at.filter(|at| !at.is_empty());
    let at = at.map_or_else(String::new, |at| format!(" at {at}"));
    let stranded = if task.loop_is_closed && !task.state.is_final() {
        " on a closed loop"
    } else {
        ""
    };
    format!(
        "{}{stranded} {}{at}",
        task.state.word(),
        task.coroutine_name()
    )
}
