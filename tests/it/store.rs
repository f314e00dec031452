//! Nothing acknowledged is ever lost: power cuts on a simulated disk, and kill -9 on the real program.

mod power_cut;
mod random;
mod sim_disk;
mod workload;
