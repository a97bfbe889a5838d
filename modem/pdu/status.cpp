// TP-ST of a status report, TS 23.040 §9.2.3.15.
#include "modem/pdu/pdu.hpp"

namespace conductor::pdu {
namespace {

/// Causes that the ranges 20-25 (still trying) and 60-65 (gave up) share.
std::string_view temporary_cause(int low, bool gave_up) {
    switch (low) {
        case 0: return gave_up ? "congestion; gave up" : "congestion; still trying";
        case 1: return gave_up ? "recipient busy; gave up" : "recipient busy; still trying";
        case 2: return gave_up ? "no response from the recipient; gave up" : "no response from the recipient; still trying";
        case 3: return gave_up ? "service rejected; gave up" : "service rejected; still trying";
        case 4: return gave_up ? "quality of service not available; gave up" : "quality of service not available; still trying";
        case 5: return gave_up ? "error in the recipient's device; gave up" : "error in the recipient's device; still trying";
        default: return gave_up ? "temporary error; gave up" : "temporary error; still trying";
    }
}

std::string_view permanent_cause(int low) {
    switch (low) {
        case 0: return "remote procedure error";
        case 1: return "incompatible destination";
        case 2: return "connection rejected by the recipient's device";
        case 3: return "not obtainable";
        case 4: return "quality of service not available";
        case 5: return "no interworking available";
        case 6: return "validity period expired";
        case 7: return "deleted by the sender";
        case 8: return "deleted by the service centre";
        case 9: return "message does not exist";
        default: return "permanent error";
    }
}

}  // namespace

Outcome status_of(std::uint8_t tp_st) {
    if (tp_st == 0x00) return Outcome::delivered;
    if (tp_st == 0x02) return Outcome::replaced;
    if (tp_st <= 0x1F) return Outcome::unconfirmed;
    if (tp_st <= 0x3F) return Outcome::pending;
    if (tp_st == 0x46) return Outcome::expired;
    if (tp_st <= 0x5F) return Outcome::failed;
    if (tp_st <= 0x7F) return Outcome::gave_up;
    return Outcome::reserved;
}

std::string_view status_text(std::uint8_t tp_st) {
    if (tp_st == 0x00) return "delivered";
    if (tp_st == 0x01) return "forwarded, delivery not confirmed";
    if (tp_st == 0x02) return "replaced by the service centre";
    if (tp_st <= 0x1F) return "transaction completed";
    if (tp_st <= 0x3F) return temporary_cause(tp_st - 0x20, false);
    if (tp_st <= 0x5F) return permanent_cause(tp_st - 0x40);
    if (tp_st <= 0x7F) return temporary_cause(tp_st - 0x60, true);
    return "reserved";
}

}  // namespace conductor::pdu
