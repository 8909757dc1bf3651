//! The packages on booted systems. Everything runs on machines of `harness::machine`.

use harness::{Distribution, Machine};

/// A test of each scenario on each distribution.
macro_rules! on_each {
    ($($module:ident: $($scenario:ident),+;)*) => {
        mod debian_12 {
            $(mod $module { $(#[test] fn $scenario() {
                crate::on(harness::Distribution::Debian12, crate::$module::$scenario);
            })+ })*
        }
        mod debian_13 {
            $(mod $module { $(#[test] fn $scenario() {
                crate::on(harness::Distribution::Debian13, crate::$module::$scenario);
            })+ })*
        }
    };
}

mod codes;
mod house;
mod interruptions;
mod machine;
mod persistence;
mod removal;
mod upgrades;
mod way_back;

on_each! {
    persistence: a_reboot_and_a_power_cut_forget_nothing;
    interruptions: logins_end_cleanly_and_codes_count_once;
    upgrades: there_and_back_keeps_everything;
    removal: nobody_is_locked_out_and_nothing_is_left;
    way_back: root_mends_it_at_the_console;
    machine: reboots_and_keeps_what_was_written, logs_in;
}

fn on(distribution: Distribution, scenario: fn(&Machine)) {
    Machine::run(distribution, scenario);
}
