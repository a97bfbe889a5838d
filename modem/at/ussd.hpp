#pragma once
// USSD texts as modems write them (TS 27.007 §7.15, TS 23.038 §5), pure.
#include <optional>
#include <string>
#include <string_view>

#include "modem/at/urc.hpp"

namespace conductor::at {

/// <m> of +CUSD (TS 27.007 §7.15), and what it means for the session.
enum class UssdStatus : int {
    done = 0,           ///< no further action: the network closed the session
    reply_wanted = 1,   ///< the session is open
    ended = 2,          ///< by the network
    other_client = 3,   ///< another local client has answered
    not_supported = 4,  ///< the operation, or the form of the code
    timeout = 5,        ///< of the network
};

/// The text of a +CUSD as UTF-8: plain, UCS-2 hex (whatever the dcs, T75), or packed 7 bit hex (T43). A plain one has a septet in each
/// octet under AT+CSCS="GSM" (`gsm_alphabet`, TS 27.007 §5.5, T77); else what is no UTF-8 is read as Latin-1. Never fails.
std::string ussd_text(const Ussd& answer, bool packed_expected, bool gsm_alphabet = false);
/// Upper case hex of the code in packed GSM 7 bit; a last septet that would be mistaken for '@' is CR (TS 23.038 §6.1.2.3.1). Empty when a
/// character has no septet.
std::optional<std::string> pack_ussd(std::string_view code);
/// m, str and dcs of a whole +CUSD line; str may hold quotes, commas and line breaks, and is as the modem wrote it.
Ussd parse_ussd(std::string_view line);
/// A +CUSD line whose quoted text has not ended: the network's text has line breaks, and so has the modem's line.
bool ussd_continues(std::string_view line);

}  // namespace conductor::at
