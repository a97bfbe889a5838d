#pragma once
// Rows of the error table; classify() in errors.cpp applies the phase to them.
#include <span>

#include "modem/at/errors.hpp"

namespace conductor::at {

/// What one code means before Ctrl-Z, and after it where it is a definite refusal.
struct ErrorRow {
    int first, last;  ///< codes, both inclusive
    ErrorClass error_class;
    Scope scope;
    bool counts;
    int tries;        ///< as Verdict::tries
    int first_delay;  ///< seconds
    std::string_view meaning;
    std::string_view advice;
    AtLimit at_limit = AtLimit::fail;
};

std::span<const ErrorRow> cms_rows();  ///< rising, no overlap
std::span<const ErrorRow> cme_rows();

namespace advice {
constexpr std::string_view wrong_number = "It is not tried again. Check the number, or remove it from the list.";
constexpr std::string_view our_content = "It is not tried again: the same text would be refused again. Report it with the message's PDU.";
constexpr std::string_view later = "It is tried again by itself, with growing pauses, until it expires.";
constexpr std::string_view much_later = "It is tried again by itself after a quarter of an hour, then ever later, until it expires.";
constexpr std::string_view soon = "The modem tries again by itself within seconds.";
constexpr std::string_view when_registered =
    "It waits, without using up an attempt, until a modem is registered. Check antenna and reception if this stays.";
constexpr std::string_view recovery = "The modem is reset by itself and the message waits or takes another modem.";
constexpr std::string_view other_modem = "It takes another modem. Without one a technician must look at this modem's capabilities.";
constexpr std::string_view sweep = "Stored messages are read and cleared by itself, then it is tried again.";
constexpr std::string_view plan =
    "This SIM is paused and others take over. Ask its operator about plan, balance and SMS permission, then accept the SIM again.";
constexpr std::string_view put_sim = "This SIM is paused. Insert or re-seat it, then reset the modem.";
constexpr std::string_view enter_pin = "This SIM is paused. Put the right PIN into its pin_file; it is tried once.";
constexpr std::string_view enter_puk = "This SIM is paused. A person must enter the PUK in a phone; it is never tried by itself.";
constexpr std::string_view set_smsc = "This SIM is paused. Set the service centre's number (AT+CSCA) that its operator names.";
constexpr std::string_view blocked_sim = "This SIM is paused. Its operator refuses the SIM or the device; replace one of them.";
constexpr std::string_view unlock = "This SIM is paused. The device or SIM is locked; a person must unlock it.";
constexpr std::string_view already = "The service centre has it already: it counts as sent.";
}  // namespace advice

}  // namespace conductor::at
