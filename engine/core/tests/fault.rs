//! Panics with the hook installed, in a process of their own: it is all threads'.

use std::panic;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bindpy_core::fault::{catch, install, quietly};

#[test]
fn where_it_was_is_told_and_nothing_is_written() {
    let written = Arc::new(AtomicUsize::new(0));
    let counting = written.clone();
    panic::set_hook(Box::new(move |_| {
        counting.fetch_add(1, Ordering::Relaxed);
    }));
    install();
    let numbers = [1, 2, 3];
    let words = "index out of bounds: the len is 3 but the index is 3, at core/tests/fault.rs:";
    let beyond = || numbers[numbers.len()];
    for told in [quietly(beyond), quietly(|| catch(beyond)).unwrap()] {
        assert!(told.as_ref().unwrap_err().starts_with(words), "{told:?}");
    }
    assert_eq!(written.load(Ordering::Relaxed), 0);
    // All others are told as ever.
    assert!(std::thread::spawn(|| panic!("told")).join().is_err());
    assert_eq!(catch(|| panic!("told")), Err::<(), _>("told".to_owned()));
    assert_eq!(written.load(Ordering::Relaxed), 2);
}
