//! How soon a thread that wakes up gets a processor that others are using.

use std::time::Duration;

/// `struct sched_attr` of sched_setattr(2) as it was at first, which all kernels know.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Attributes {
    size: u32,
    policy: u32,
    flags: u64,
    nice: i32,
    priority: u32,
    runtime: u64,
    deadline: u64,
    period: u64,
}

const SIZE: u32 = size_of::<Attributes>() as u32;
const _: () = assert!(SIZE == 48);

/// Have the calling thread run for `slice` at a time and wait for as short a time when it wakes up. Its share of the
/// processor stays what it was, so that this needs no privilege.
///
/// A thread that sleeps and wakes for microseconds of work otherwise waits for others to use up their slices, which have
/// milliseconds. Kernels before 6.12 know no such wish and ignore it; where it is refused, as in a sandbox, or where the
/// thread is scheduled as one for real time, all stays as it is.
pub fn run_in_slices_of(slice: Duration) {
    let Some(mut attributes) = attributes() else { return };
    if matches!(attributes.policy as i32, libc::SCHED_OTHER | libc::SCHED_BATCH) {
        attributes.size = SIZE;
        attributes.runtime = slice.as_nanos() as u64;
        // SAFETY: the kernel reads as many octets as `size` says, which the structure has. 0 is the calling thread.
        unsafe {
            libc::syscall(libc::SYS_sched_setattr, 0, &raw const attributes, 0);
        }
    }
}

/// Returns how the calling thread is scheduled, `None` where the kernel does not say.
fn attributes() -> Option<Attributes> {
    let mut attributes = Attributes::default();
    // SAFETY: the kernel writes `SIZE` octets at most, which the structure has; any octets are a value of it.
    let failed = unsafe { libc::syscall(libc::SYS_sched_getattr, 0, &raw mut attributes, SIZE, 0) };
    (failed == 0).then_some(attributes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_else_changes() {
        let before = attributes().unwrap();
        run_in_slices_of(Duration::from_micros(200));
        let after = attributes().unwrap();
        assert_eq!((after.policy, after.nice, after.flags), (before.policy, before.nice, before.flags));
        assert!([before.runtime, 200_000].contains(&after.runtime), "{} ns", after.runtime);
    }
}
