//! A run that fails, made small: without all that is not needed for it to fail.

use crate::plan::{Item, Plan};
use crate::world::run;

/// The numbers of the items that are needed for a run to fail, of those that are in `kept`. Each attempt is a run.
#[must_use]
pub fn shrink(plan: &Plan, kept: &[usize]) -> Vec<usize> {
    let fails = |kept: &[usize]| run(&plan.only(kept), false).found.is_some();
    let mut kept = kept.to_vec();
    let mut size = kept.len().div_ceil(2);
    while size > 0 {
        let mut start = 0;
        let mut is_smaller = false;
        while start < kept.len() {
            let end = (start + size).min(kept.len());
            let fewer: Vec<_> = kept[..start].iter().chain(&kept[end..]).copied().collect();
            if fails(&fewer) {
                (kept, is_smaller) = (fewer, true);
            } else {
                start = end;
            }
        }
        size = if size == 1 && is_smaller { 1 } else { size / 2 };
    }
    kept
}

impl Plan {
    /// The plan with these of its items alone.
    #[must_use]
    pub fn only(&self, kept: &[usize]) -> Self {
        let items = kept.iter().filter_map(|number| self.items.get(*number).cloned());
        let items: Vec<Item> = items.collect();
        Self { items, ..self.clone() }
    }
}
