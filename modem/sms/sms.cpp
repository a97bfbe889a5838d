#include "modem/sms/sms.hpp"

#include "modem/pdu/unicode.hpp"

namespace conductor::sms {

const char* errc_library(SmsErrc) {
    return "sms";
}

std::string_view describe(SmsErrc e) {
    switch (e) {
        case SmsErrc::empty: return "the text is empty";
        case SmsErrc::bad_utf8: return "the text is not UTF-8";
        case SmsErrc::too_long: return "the text needs more segments than allowed";
        case SmsErrc::not_encodable: return "a character that GSM-7 lacks";
    }
    return "unknown error";
}

std::string join(std::span<const std::optional<pdu::UserData>> parts, pdu::Alphabet alphabet) {
    std::string out;
    std::vector<std::uint16_t> units;  // of parts side by side, so that a pair split between them comes out whole
    const auto flush = [&] {
        out += pdu::utf16_to_utf8(units);
        units.clear();
    };
    for (const auto& part : parts) {
        if (!part) {
            flush();
            out += "[…]";
        } else if (!part->units.empty()) {
            units.insert(units.end(), part->units.begin(), part->units.end());
        } else if (alphabet != pdu::Alphabet::ucs2 || !part->text.empty()) {
            flush();
            out += part->text;
        }
    }
    flush();
    return out;
}

}  // namespace conductor::sms
