#pragma once
// A recorded exchange as text: what the flight recorder writes and the replay tests read.
//
//     # device: Huawei E1752
//     > AT+CGMM\r
//     < \r\nE1752\r\n\r\nOK\r\n
//     ! 250ms
//
// ">" is sent, "<" received, "!" a pause. In the octets \r \n \t \\ and \xHH are escapes; everything else is itself.
#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/core/result.hpp"

namespace conductor::port {

enum class TranscriptErrc { bad_line = 1, bad_escape, bad_pause };
const char* errc_library(TranscriptErrc);
std::string_view describe(TranscriptErrc e);

struct TranscriptStep {
    enum class Kind : std::uint8_t { sent, received, pause };
    Kind kind = Kind::sent;
    std::string octets{};
    std::chrono::milliseconds pause{0};
    bool operator==(const TranscriptStep&) const = default;
};
struct Transcript {
    std::vector<std::string> comments;  ///< lines behind '#', in order
    std::vector<TranscriptStep> steps;
};

std::string escape(std::string_view octets);
/// Error: the place as "line@N".
Result<Transcript> parse_transcript(std::string_view text);
std::string format_transcript(const Transcript& transcript);

}  // namespace conductor::port
