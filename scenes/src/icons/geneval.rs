//! GenEval's 553 prompts, said by the grammar from a table of facts.

use super::class::{Class, Colour};
use super::facts;
use super::spec::{Relation, Spec, Task, Wanted};

/// What a number of the tables stands for; none past the end of a list.
fn class(at: u8) -> Option<Class> {
    Class::all().nth(usize::from(at))
}

fn coloured(colour: u8, kind: u8) -> Option<Wanted> {
    Some(Wanted::one(class(kind)?, Some(*Colour::ALL.get(usize::from(colour))?)))
}

fn bare(kind: u8) -> Option<Wanted> {
    Some(Wanted::one(class(kind)?, None))
}

/// What a row of a task's table says; none where it says nothing.
fn spec(task: Task, row: &[u8]) -> Option<Spec> {
    let (wanted, relation) = match (task, row) {
        (Task::SingleObject, &[a]) => (vec![bare(a)?], None),
        (Task::TwoObject, &[a, b]) => (vec![bare(a)?, bare(b)?], None),
        (Task::Counting, &[count, a]) => (vec![Wanted { count, ..bare(a)? }], None),
        (Task::Colors, &[colour, a]) => (vec![coloured(colour, a)?], None),
        (Task::Position, &[a, relation, b]) => {
            (vec![bare(a)?, bare(b)?], Some(*Relation::ALL.get(usize::from(relation))?))
        }
        (Task::ColorAttr, &[colour_a, a, colour_b, b]) => (vec![coloured(colour_a, a)?, coloured(colour_b, b)?], None),
        _ => return None,
    };
    Some(Spec { wanted, relation })
}

/// A task's table, and how many numbers make a row.
const fn table(task: Task) -> (&'static [u8], usize) {
    match task {
        Task::SingleObject => (&facts::SINGLE_OBJECT, 1),
        Task::TwoObject => (&facts::TWO_OBJECT, 2),
        Task::Counting => (&facts::COUNTING, 2),
        Task::Colors => (&facts::COLORS, 2),
        Task::Position => (&facts::POSITION, 3),
        Task::ColorAttr => (&facts::COLOR_ATTR, 4),
    }
}

/// GenEval's 553 prompts in its file's order, each under the task whose tag it has there.
#[must_use]
pub fn geneval_prompts() -> Vec<(Task, Spec)> {
    Task::ALL
        .into_iter()
        .flat_map(|task| {
            let (numbers, row) = table(task);
            numbers.chunks_exact(row).filter_map(move |row| Some((task, spec(task, row)?)))
        })
        .collect()
}
