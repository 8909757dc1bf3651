//! What a command_status means for a message (SMPP 3.4 section 5.1.3).

use crate::Failure;

const NAMES: [(u32, &str); 46] = [
    (0x00, "ESME_ROK"),
    (0x01, "ESME_RINVMSGLEN"),
    (0x02, "ESME_RINVCMDLEN"),
    (0x03, "ESME_RINVCMDID"),
    (0x04, "ESME_RINVBNDSTS"),
    (0x05, "ESME_RALYBND"),
    (0x06, "ESME_RINVPRTFLG"),
    (0x07, "ESME_RINVREGDLVFLG"),
    (0x08, "ESME_RSYSERR"),
    (0x0A, "ESME_RINVSRCADR"),
    (0x0B, "ESME_RINVDSTADR"),
    (0x0C, "ESME_RINVMSGID"),
    (0x0D, "ESME_RBINDFAIL"),
    (0x0E, "ESME_RINVPASWD"),
    (0x0F, "ESME_RINVSYSID"),
    (0x11, "ESME_RCANCELFAIL"),
    (0x13, "ESME_RREPLACEFAIL"),
    (0x14, "ESME_RMSGQFUL"),
    (0x15, "ESME_RINVSERTYP"),
    (0x33, "ESME_RINVNUMDESTS"),
    (0x34, "ESME_RINVDLNAME"),
    (0x40, "ESME_RINVDESTFLAG"),
    (0x42, "ESME_RINVSUBREP"),
    (0x43, "ESME_RINVESMCLASS"),
    (0x44, "ESME_RCNTSUBDL"),
    (0x45, "ESME_RSUBMITFAIL"),
    (0x48, "ESME_RINVSRCTON"),
    (0x49, "ESME_RINVSRCNPI"),
    (0x50, "ESME_RINVDSTTON"),
    (0x51, "ESME_RINVDSTNPI"),
    (0x53, "ESME_RINVSYSTYP"),
    (0x54, "ESME_RINVREPFLAG"),
    (0x55, "ESME_RINVNUMMSGS"),
    (0x58, "ESME_RTHROTTLED"),
    (0x61, "ESME_RINVSCHED"),
    (0x62, "ESME_RINVEXPIRY"),
    (0x63, "ESME_RINVDFTMSGID"),
    (0x64, "ESME_RX_T_APPN"),
    (0x65, "ESME_RX_P_APPN"),
    (0x66, "ESME_RX_R_APPN"),
    (0x67, "ESME_RQUERYFAIL"),
    (0xC0, "ESME_RINVOPTPARSTREAM"),
    (0xC1, "ESME_ROPTPARNOTALLWD"),
    (0xC2, "ESME_RINVPARLEN"),
    (0xC3, "ESME_RMISSINGOPTPARAM"),
    (0xFF, "ESME_RUNKNOWNERR"),
];

/// `ESME_RTHROTTLED (0x58)`, or `0x400` alone for a status of the provider's own.
pub(super) fn name(status: u32) -> String {
    match NAMES.iter().find(|(known, _)| *known == status) {
        Some((_, name)) => format!("{name} (0x{status:02X})"),
        None => format!("0x{status:X}, a status of its own"),
    }
}

/// What became of a message whose submission was answered with this status, and what to do.
pub(super) fn failure(status: u32, smsc: &str) -> Failure {
    let told = format!("{smsc} answered the submission with {}", name(status));
    let advice = match status {
        0x0B | 0x50 | 0x51 => {
            return Failure::Refused(format!("{told}: it does not take the recipient's number"));
        }
        0x58 => "too many messages at a time: lower `window` or ask the provider for more",
        0x14 => "its queue is full",
        0x08 => "it is out of order",
        0x0A => "set `source_addr` to a sender that the provider permits",
        0x48 => "set `source_addr_ton` as the provider says",
        0x49 => "set `source_addr_npi` as the provider says",
        0x15 => "set `service_type` as the provider says",
        0x0D..=0x0F => return Failure::Unavailable(bind_refused(status, smsc)),
        _ => "ask the provider for the reason",
    };
    Failure::Unavailable(format!("{told}: {advice}"))
}

/// Why a bind failed, and what to do.
pub(super) fn bind_refused(status: u32, smsc: &str) -> String {
    let advice = match status {
        0x05 => "the account has a session already: stop the other one, or wait for its end",
        0x0E => "correct `password`",
        0x0F => "correct `system_id`",
        0x53 => "correct `system_type`",
        0x08 | 0x14 | 0x58 => "it takes no session now",
        _ => {
            "check `system_id`, `password`, `system_type` and `bind`, \
             and whether the provider permits this host's address"
        }
    };
    format!("{smsc} refused the bind with {}: {advice}", name(status))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_says_who_has_to_act() {
        for (status, refused, named) in [
            (0x58, false, "ESME_RTHROTTLED (0x58)"),
            (0x14, false, "ESME_RMSGQFUL"),
            (0x08, false, "ESME_RSYSERR (0x08)"),
            (0x0A, false, "`source_addr`"),
            (0x48, false, "`source_addr_ton`"),
            (0x49, false, "`source_addr_npi`"),
            (0x0D, false, "`system_id`"),
            (0x0E, false, "`password`"),
            (0x0F, false, "`system_id`"),
            (0x0B, true, "ESME_RINVDSTADR"),
            (0x50, true, "ESME_RINVDSTTON"),
            (0x51, true, "ESME_RINVDSTNPI"),
            (0x45, false, "ESME_RSUBMITFAIL"),
            (0x62, false, "ESME_RINVEXPIRY"),
            (0x400, false, "0x400, a status of its own"),
            (u32::MAX, false, "0xFFFFFFFF"),
        ] {
            let failure = failure(status, "smsc.example:5100");
            assert_eq!(matches!(failure, Failure::Refused(_)), refused, "{failure}");
            assert!(failure.to_string().contains(named), "{failure}");
        }
        assert!(NAMES.is_sorted());
    }
}
