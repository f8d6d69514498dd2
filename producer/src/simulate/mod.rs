//! Synthetic traffic: the same seed gives the same requests. They are a pure function of scenario, rate, seed and
//! a range of time; `run` publishes it.

mod fault;
mod generator;
mod run;
mod scenario;

pub use fault::FaultSwitch;
pub use generator::Generator;
pub use run::{Progress, SimulateError, Simulation, Summary, run};
pub use scenario::{Effect, Endpoint, Fault, Outcome, Scenario, ScenarioError, Service};
