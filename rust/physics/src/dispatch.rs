//! Kernels run with the best instructions that the processor has.
//!
//! A kernel is a plain, branch-free body, written once and generic over its [`Arithmetic`]. It is
//! compiled for each level of the processor, where the compiler turns its loops into vector
//! instructions of 2, 4 or 8 numbers; which one runs is looked up once, when the program runs.
//! The levels differ in the last digit at most: a fused multiplication rounds once, not twice.
#![allow(unsafe_code, reason = "a function with a target feature may be called where it is there")]

/// How products are rounded.
pub(crate) trait Arithmetic: Copy {
    /// `a·b + c`.
    fn mul_add(a: f64, b: f64, c: f64) -> f64;

    /// The product, and what its rounding lost.
    fn product(a: f64, b: f64) -> (f64, f64);
}

/// The processor multiplies and adds in one instruction, rounding once.
#[derive(Clone, Copy)]
pub(crate) struct Fused;

/// It does not, and `f64::mul_add` would be a slow call.
#[derive(Clone, Copy)]
pub(crate) struct Plain;

impl Arithmetic for Fused {
    #[inline(always)]
    fn mul_add(a: f64, b: f64, c: f64) -> f64 {
        a.mul_add(b, c)
    }

    #[inline(always)]
    fn product(a: f64, b: f64) -> (f64, f64) {
        let product = a * b;
        (product, a.mul_add(b, -product))
    }
}

impl Arithmetic for Plain {
    #[inline(always)]
    fn mul_add(a: f64, b: f64, c: f64) -> f64 {
        a * b + c
    }

    /// T. J. Dekker, "A floating-point technique for extending the available precision", 1971: right
    /// for factors below 2^995.
    #[inline(always)]
    fn product(a: f64, b: f64) -> (f64, f64) {
        let product = a * b;
        let ((a, b), (c, d)) = (halves(a), halves(b));
        (product, ((a * c - product) + a * d + b * c) + b * d)
    }
}

/// The two halves of the digits of a number.
#[inline(always)]
fn halves(number: f64) -> (f64, f64) {
    let shifted = number * 134_217_729.0;
    let high = shifted - (shifted - number);
    (high, number - high)
}

/// Something to compute. `run` is `#[inline(always)]`, and so is all that it calls.
pub(crate) trait Job {
    /// What comes out.
    type Output;

    /// Computes it.
    fn run<A: Arithmetic>(self) -> Self::Output;
}

/// What a processor can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    /// What all processors of its kind can.
    Base,
    /// 4 numbers at a time, fused.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// 8 numbers at a time, fused.
    #[cfg(avx512)]
    Avx512,
}

impl Level {
    /// All that this processor has, the best one last.
    pub(crate) fn all() -> &'static [Self] {
        #[cfg(target_arch = "x86_64")]
        {
            use std::arch::is_x86_feature_detected as has;
            let wide = has!("avx2") && has!("fma");
            #[cfg(avx512)]
            if wide && has!("avx512f") && has!("avx512dq") && has!("avx512vl") {
                return &[Self::Base, Self::Avx2, Self::Avx512];
            }
            if wide { &[Self::Base, Self::Avx2] } else { &[Self::Base] }
        }
        #[cfg(not(target_arch = "x86_64"))]
        {
            &[Self::Base]
        }
    }

    /// The best that this processor has.
    #[inline]
    pub(crate) fn best() -> Self {
        Self::all()[Self::all().len() - 1]
    }

    /// Runs the job; a level that this processor does not have is replaced by one that it has.
    #[inline]
    pub(crate) fn run<J: Job>(self, job: J) -> J::Output {
        let level = if Self::all().contains(&self) { self } else { Self::Base };
        match level {
            Self::Base if cfg!(target_arch = "aarch64") => job.run::<Fused>(),
            Self::Base => job.run::<Plain>(),
            // SAFETY: `all` has the level only if the processor has its features.
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => unsafe { avx2(job) },
            // SAFETY: the same.
            #[cfg(avx512)]
            Self::Avx512 => unsafe { avx512(job) },
        }
    }
}

/// Runs the job with the best instructions.
#[inline]
pub(crate) fn run<J: Job>(job: J) -> J::Output {
    Level::best().run(job)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn avx2<J: Job>(job: J) -> J::Output {
    job.run::<Fused>()
}

#[cfg(avx512)]
#[target_feature(enable = "avx2,fma,avx512f,avx512dq,avx512vl")]
unsafe fn avx512<J: Job>(job: J) -> J::Output {
    job.run::<Fused>()
}
