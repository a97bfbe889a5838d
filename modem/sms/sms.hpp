#pragma once
// Texts to segments and back (TS 23.040 §9.2.3.24.1, TS 23.038 §6).
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "modem/pdu/pdu.hpp"

namespace conductor::sms {

enum class SmsErrc {
    empty = 1,      ///< no text
    bad_utf8,       ///< the text is not UTF-8
    too_long,       ///< more segments than allowed; `where` is "needed > allowed"
    not_encodable,  ///< GSM-7 was demanded and a character lacks; `where` is "text@octet"
};
const char* errc_library(SmsErrc);
std::string_view describe(SmsErrc e);

enum class Want : std::uint8_t { automatic, gsm7, ucs2 };

struct SegmentOptions {
    Want encoding = Want::automatic;
    std::vector<std::uint8_t> national_tables{};  ///< language ids (TS 23.038 §6.2.1.2.4) that may be used
    int max_segments = 255;                       ///< 1-255
    std::uint16_t ref = 0;                        ///< concatenation reference; its low octet unless wide_ref
    bool wide_ref = false;                        ///< 16-bit concatenation reference
    bool transliterate = false;                   ///< replace characters outside GSM-7 by near ones where that saves segments
};

struct Segment {
    std::string text;
    pdu::UserData data;  ///< ready for pdu::encode() with make_dcs(alphabet)
};

/// One kind of replacement that transliteration made.
struct Replacement {
    std::string from, to;  ///< graphemes, UTF-8; `to` may be empty
    int count = 0;
    bool operator==(const Replacement&) const = default;
};

struct Segmented {
    pdu::Alphabet alphabet = pdu::Alphabet::gsm7;
    pdu::National national;
    std::vector<Segment> segments;
    std::string text;                   ///< what is sent: the input, or its transliteration
    std::vector<Replacement> replaced;  ///< how `text` differs from the input, in order of first occurrence
    int units = 0;                      ///< septets or UTF-16 units of the text
    int units_per_segment = 160;        ///< that fit into each segment with its header
};

/// Splits UTF-8 text into what fits SMS-SUBMITs: the cheaper of GSM-7 (with the allowed tables) and UCS-2, by segments, then by octets.
/// Never splits an escape or surrogate pair, nor a grapheme where that can be avoided: a grapheme is split only if it is longer than a
/// segment, or if keeping graphemes whole would need more than max_segments.
Result<Segmented> segment(std::string_view text, const SegmentOptions& options);

/// Joins parts in sequence order; UTF-16 surrogate pairs split across parts come out whole. Missing parts become "[…]". Parts that hold
/// UTF-16 units are read as such whatever `alphabet` says, since some senders choose it part by part.
std::string join(std::span<const std::optional<pdu::UserData>> parts, pdu::Alphabet alphabet);

}  // namespace conductor::sms
