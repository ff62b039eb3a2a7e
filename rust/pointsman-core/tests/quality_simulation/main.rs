//! science.md 2.14 on simulated worlds whose truth is known; each check also runs on a wrong twin, which must fail it.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod bayes;
mod calibration;
mod draws;
mod floors;
mod ope;
mod pacing;
mod preferences;
mod regret;
mod shrinkage;
