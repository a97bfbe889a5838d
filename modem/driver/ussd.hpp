#pragma once
// USSD texts as modems write them (TS 27.007 §7.15), pure.
#include <optional>
#include <string>

#include "modem/at/urc.hpp"

namespace conductor::driver {

/// The text of a +CUSD as UTF-8: plain, UCS-2 hex (whatever the dcs, T75), or packed 7 bit hex (T43).
std::string ussd_text(const at::Ussd& answer, bool packed_expected);
/// Upper case hex of the code in packed GSM 7 bit; a last septet that would be mistaken for '@' is CR (TS 23.038 §6.1.2.3.1). Empty when a
/// character has no septet.
std::optional<std::string> pack_ussd(std::string_view code);

}  // namespace conductor::driver
