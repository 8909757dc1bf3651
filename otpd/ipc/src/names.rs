//! Names on the bus and in the file system that both ends of a connection must agree on.

/// The well-known bus name that otpd owns on the system bus.
pub const BUS_NAME: &str = "org.pamotp.Otpd1";
/// The one object, on both lanes.
pub const OBJECT_PATH: &str = "/org/pamotp/Otpd1";
/// The interface of a login; on both lanes.
pub const AUTHENTICATION: &str = "org.pamotp.Otpd1.Authentication";
/// The interface of administration; on the system bus only.
pub const MANAGER: &str = "org.pamotp.Otpd1.Manager";
/// Every error name starts with this.
pub const ERROR_PREFIX: &str = "org.pamotp.Otpd1.Error.";
/// Version of both interfaces; grows when a member is added.
pub const INTERFACE_VERSION: u32 = 3;
/// The direct lane: peer-to-peer D-Bus, mode 0600, owned by root, socket-activated.
pub const LOGIN_SOCKET: &str = "/run/otpd/login.sock";
/// The system bus; never taken from the environment.
pub const SYSTEM_BUS_SOCKET: &str = "/run/dbus/system_bus_socket";
/// The account that otpd runs as and that may own [`BUS_NAME`].
pub const DAEMON_USER: &str = "otpd";
/// The service name under which policies see a user who manages their own tokens.
pub const SELF_SERVICE: &str = "otpctl";

/// polkit actions, described in `packaging/polkit/org.pamotp.otpd1.policy`.
pub mod action {
    /// Read tokens, users, policies, clients, the audit record and the status.
    pub const READ: &str = "org.pamotp.otpd1.read";
    /// Change any user's tokens, contacts, locks, recovery codes and clients, and who issues codes.
    pub const MANAGE: &str = "org.pamotp.otpd1.manage";
    /// Issue codes to users, look at them and revoke them.
    pub const ISSUE: &str = "org.pamotp.otpd1.issue";
    /// Reload the configuration, look at the providers and try them.
    pub const CONFIGURE: &str = "org.pamotp.otpd1.configure";
    /// Enrol a first token for oneself.
    pub const ENROL_OWN: &str = "org.pamotp.otpd1.enrol-own";
}
