//! The D-Bus contract between `pam_otp`, `otpd` and `otpctl`: names, the step of a login, the
//! context a login brings along, the documents of the Manager interface and the error names.
//!
//! The same contract for people and for introspection is `packaging/dbus/org.pamotp.Otpd1.*.xml`.
//! It only grows: members and dictionary keys are added, never changed.
#![forbid(unsafe_code)]

mod context;
mod document;
mod error;
pub mod limits;
pub mod maintenance;
pub mod names;
mod policy;
#[cfg(feature = "proxy")]
mod proxy;
mod register;
mod step;

pub use context::Context;
pub use document::{
    AuditFilter, AuditRecord, ChangeOptions, ContactOptions, DirectoryDocument,
    DirectoryTestDocument, EnrolOptions, ProviderDocument, ShareDocument, ShareOptions,
    StatusDocument, TestDocument, TokenDocument, TokenFilter, UserDocument, UserFilter,
};
pub use error::ErrorKind;
pub use policy::{ExplainDocument, ExplainQuery, MismatchDocument, PolicyDocument};
#[cfg(feature = "proxy")]
pub use proxy::{AuthenticationProxy, ManagerProxy};
pub use register::{
    ClientDocument, ClientFilter, ClientOptions, CodeDocument, CodeFilter, IssueOptions,
};
pub use step::{Details, Step, StepKind};
