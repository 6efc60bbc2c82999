//! Panics: faults of ours, each of which ends one query or one piece of work, and nothing else.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};

thread_local! {
    /// How many calls of `quietly` this thread is in.
    static QUIET: Cell<u32> = const { Cell::new(0) };
    /// What the last panic in one of them said, and where it was.
    static LAST: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs `work`; where that panics, returns what it says. This costs nothing where nothing panics.
///
/// What `work` has borrowed may be left half done: whoever goes on using it sees to that.
pub fn catch<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    let outcome = panic::catch_unwind(AssertUnwindSafe(work));
    outcome.map_err(|panic| LAST.take().unwrap_or_else(|| words_of(&*panic).to_owned()))
}

/// Does the same. Once [`install`] was called, what is told of a panic in `work`, and in calls of [`catch`] in
/// there, is where it was as well, and nothing goes to standard error.
pub fn quietly<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    QUIET.set(QUIET.get() + 1);
    let outcome = catch(work);
    QUIET.set(QUIET.get() - 1);
    outcome
}

/// Keeps panics inside of [`quietly`] off standard error, where anybody who finds one could make lines without
/// end: who catches them tells of them. Other panics are told there, as ever.
pub fn install() {
    let previous = panic::take_hook();
    panic::set_hook(Box::new(move |panic: &PanicHookInfo<'_>| {
        if QUIET.get() == 0 {
            return previous(panic);
        }
        let words = words_of(panic.payload());
        let place = panic.location().map(|place| format!(", at {place}")).unwrap_or_default();
        LAST.set(Some(format!("{words}{place}")));
    }));
}

fn words_of(panic: &(dyn Any + Send)) -> &str {
    let words = panic.downcast_ref::<String>().map(String::as_str);
    words.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic without words")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_panic_says_is_told() {
        assert_eq!(catch(|| 1), Ok(1));
        assert_eq!(catch(|| panic!("oh")), Err::<(), _>("oh".to_owned()));
        assert_eq!(catch(|| panic!("oh {}", 2)), Err::<(), _>("oh 2".to_owned()));
        assert_eq!(catch(|| panic::panic_any(3)), Err::<(), _>("a panic without words".to_owned()));
        assert_eq!(quietly(|| catch(|| panic!("inner"))), Ok(Err::<(), _>("inner".to_owned())));
        assert_eq!(QUIET.get(), 0);
    }
}
