#pragma once
// An SMS-SUBMIT that lies in a modem's own storage (AT+CMGW).
#include "modem/pdu/pdu.hpp"

namespace conductor::pdu {

/// What a modem leaves as it was when it stores or sends an SMS-SUBMIT: without the SMSC field, which it may fill in, and with TP-MR 0,
/// which it overwrites when it sends (TS 23.040 §9.2.3.6). Two PDUs with equal octets are the same message. Empty where `octets` (SMSC
/// field first) are no SMS-SUBMIT.
Octets stored_form(View octets);

/// The same as a number for a database: 64 bits of FNV-1a over stored_form(); empty where that is empty.
std::optional<std::int64_t> stored_fingerprint(View octets);

}  // namespace conductor::pdu
