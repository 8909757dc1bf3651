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

mod bystanders;
mod codes;
mod doors;
mod house;
mod install;
mod interruptions;
mod machine;
mod persistence;
mod removal;
mod rotation;
mod setup;
mod ssh;
mod upgrades;
mod way_back;

on_each! {
    machine: reboots_and_keeps_what_was_written, logs_in;
    install: no_login_changes, the_bus_starts_otpd, the_first_login_after_a_boot_starts_otpd,
        the_units_are_sound_and_confined;
    ssh: password_then_code, key_then_code, a_code_of_an_app, who_may_not_log_in_is_charged_nothing,
        a_connection_closed_at_the_prompt;
    setup: an_administrator_sets_up_ssh_and_sudo, what_is_not_kept_goes_back;
    doors: sudo, su, the_console;
    bystanders: pkexec, a_screen_locker;
    persistence: a_reboot_and_a_power_cut_forget_nothing;
    interruptions: logins_end_cleanly_and_codes_count_once;
    upgrades: there_and_back_keeps_everything;
    removal: nobody_is_locked_out_and_nothing_is_left;
    rotation: nobody_notices_more_than_a_pause;
    way_back: root_mends_it_at_the_console;
}

fn on(distribution: Distribution, scenario: fn(&Machine)) {
    Machine::run(distribution, scenario);
}
