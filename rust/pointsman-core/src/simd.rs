//! The one place of unsafe code: a kernel compiled twice, for AVX2 and for every machine.
//!
//! Both are one source without fused multiplication and without reordered sums, so every machine gives the same bits.

/// Work whose inner loops the compiler turns into vector instructions.
///
/// Mark `run`, and all that it calls in its loops, `#[inline(always)]`: that is what compiles it anew for AVX2.
pub(crate) trait Kernel {
    /// What the work gives.
    type Output;

    /// Does the work.
    fn run(self) -> Self::Output;
}

/// Runs the kernel with AVX2 where the machine has it, else with what every machine has.
#[inline]
#[cfg_attr(target_arch = "x86_64", allow(unsafe_code))]
pub(crate) fn run<K: Kernel>(kernel: K) -> K::Output {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: the body is safe code; its one precondition, that the machine has AVX2, was just checked.
        return unsafe { with_avx2(kernel) };
    }
    kernel.run()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn with_avx2<K: Kernel>(kernel: K) -> K::Output {
    kernel.run()
}
