#pragma once
// The calling codes that ITU-T assigned (E.164), with what normalising a number needs. Facts of numbering plans change: lengths are
// generous.
#include <optional>
#include <span>
#include <string_view>

namespace conductor {

struct CallingCode {
    int code;
    std::string_view regions;  ///< ISO 3166 alpha-2, blank-separated, the main one first; empty for a global service
    std::string_view trunk;    ///< national trunk prefix, dropped after the calling code; empty where there is none, or where it stays (IT)
    int least, most;           ///< digits of the national number
    std::string_view premium;  ///< beginnings of national numbers that cost the sender or the called extra, blank-separated
};

std::span<const CallingCode> calling_codes();
/// The code at the beginning of `digits` (without '+'): no calling code is the beginning of another.
const CallingCode* find_calling_code(std::string_view digits);
const CallingCode* calling_code_of(std::string_view region);

}  // namespace conductor
