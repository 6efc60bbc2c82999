//! Memory that will be read soon.

/// Let the processor fetch the line of its cache in which `place` begins, and go on without waiting for it.
///
/// It does nothing on processors for which there is no stable way to say so.
#[inline(always)]
pub fn prefetch<T>(place: &T) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: the instruction is there on every x86-64 processor (SSE), and changes nothing but what is cached,
        // whatever the address; this one can be read.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(place).cast()) }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = place;
}
