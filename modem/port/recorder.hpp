#pragma once
// The flight recorder: the last octets of a port with their times, in RAM, bounded, as a transcript ready for replay.
#include <deque>
#include <map>
#include <memory>
#include <string>

#include "modem/port/byte_stream.hpp"
#include "modem/port/transcript.hpp"

namespace conductor::port {

/// `line` with '*' for the digits behind the commands that carry a PIN, a PUK or a password: +CPIN, +CPIN2, ^CPIN, +CLCK, +CPWD and their
/// kin, in either case and with blanks (V.250 §5.4.1). Its length stays.
std::string without_secrets(std::string_view line);

class FlightRecorder {
public:
    /// Keeps at most `max_octets` (payload) and nothing older than `max_age`.
    explicit FlightRecorder(std::size_t max_octets = 64 * 1024, BootClock::duration max_age = std::chrono::minutes{10})
        : max_octets_{max_octets}, max_age_{max_age} {}

    void record(TranscriptStep::Kind kind, std::span<const std::uint8_t> octets, Instant now);
    /// A remark between the octets ("opened /dev/ttyUSB2").
    void remark(std::string text, Instant now);
    Transcript transcript() const;
    std::uint64_t dropped() const { return dropped_; }  ///< octets that the bounds pushed out

private:
    struct Entry {
        Instant at;
        bool is_remark = false;
        TranscriptStep::Kind kind = TranscriptStep::Kind::sent;
        std::string octets;
    };
    void push(Entry entry);
    std::string masked(TranscriptStep::Kind kind, std::span<const std::uint8_t> octets);

    std::deque<Entry> entries_;
    std::map<TranscriptStep::Kind, std::string> lines_;  ///< the beginning of the line that is under way: a secret comes in pieces too
    std::size_t max_octets_;
    BootClock::duration max_age_;
    std::size_t held_ = 0;
    std::uint64_t dropped_ = 0;
};

/// Passes everything through to `inner` and records it.
std::unique_ptr<ByteStream> record(std::unique_ptr<ByteStream> inner, std::shared_ptr<FlightRecorder> recorder);

}  // namespace conductor::port
