//! What the scenarios of this thread reached in a definition: a part without coverage is not tested.

use std::cell::RefCell;
use std::collections::HashSet;

thread_local! {
    static REACHED: RefCell<HashSet<usize>> = RefCell::default();
}

/// Records a part by its address, if it was reached.
pub(crate) fn record<T>(part: &T, is_reached: bool) {
    if is_reached {
        REACHED.with_borrow_mut(|reached| reached.insert(std::ptr::from_ref(part).addr()));
    }
}

pub(crate) fn is_reached<T>(part: &T) -> bool {
    REACHED.with_borrow(|reached| reached.contains(&std::ptr::from_ref(part).addr()))
}
