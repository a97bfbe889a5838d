#include "modem/port/recorder.hpp"

#include <algorithm>
#include <array>

namespace conductor::port {

namespace {

constexpr std::size_t max_entries = 8192;  // octets that trickle in one by one must not cost more than they say

constexpr std::size_t line_kept = 512;  ///< longer ones are PDUs

char upper(char c) {
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
}

/// Where `name` ends in `text` when it begins at `at`, blanks aside; npos when it does not.
std::size_t end_of_name(std::string_view text, std::size_t at, std::string_view name) {
    for (std::size_t i = at, matched = 0; i < text.size(); ++i) {
        if (text[i] == ' ') continue;
        if (upper(text[i]) != name[matched]) return text.npos;
        if (++matched == name.size()) return i + 1;
    }
    return text.npos;
}

}  // namespace

std::string without_secrets(std::string_view line) {
    constexpr std::array<std::string_view, 3> names = {"CPIN", "CLCK", "CPWD"};
    std::string text{line};
    for (std::size_t at = 0; at < text.size(); ++at) {
        for (const std::string_view name : names) {
            const std::size_t end = end_of_name(text, at, name);
            if (end == text.npos) continue;
            const std::size_t value = std::min(text.find_first_of("=\r\n", end), text.size());
            if (value == text.size() || text[value] != '=') continue;
            for (std::size_t i = value; i < text.size() && text[i] != '\r' && text[i] != '\n'; ++i)
                if (text[i] >= '0' && text[i] <= '9') text[i] = '*';
        }
    }
    return text;
}

/// What a person may see of `octets`, which go on with the line before.
std::string FlightRecorder::masked(TranscriptStep::Kind kind, std::span<const std::uint8_t> octets) {
    std::string& line = lines_[kind];
    const std::string whole = line + std::string{octets.begin(), octets.end()};
    std::string shown = without_secrets(whole).substr(line.size());
    const std::size_t end = whole.find_last_of("\r\n");
    line = end == whole.npos ? whole : whole.substr(end + 1);
    line.resize(std::min(line.size(), line_kept));
    return shown;
}

void FlightRecorder::record(TranscriptStep::Kind kind, std::span<const std::uint8_t> octets, Instant now) {
    if (octets.empty()) return;
    constexpr auto joined = std::chrono::milliseconds{5};  // octets of one answer, read in pieces, stay one line
    if (!entries_.empty()) {
        Entry& last = entries_.back();
        if (!last.is_remark && last.kind == kind && now - last.at < joined && last.octets.size() < 512) {
            last.octets += masked(kind, octets);
            held_ += octets.size();
            last.at = now;
            return;
        }
    }
    push({now, false, kind, masked(kind, octets)});
}

void FlightRecorder::remark(std::string text, Instant now) {
    push({now, true, TranscriptStep::Kind::pause, std::move(text)});
}

void FlightRecorder::push(Entry entry) {
    held_ += entry.octets.size();
    const Instant oldest = entry.at - max_age_;
    entries_.push_back(std::move(entry));
    while (entries_.size() > 1 && (held_ > max_octets_ || entries_.size() > max_entries || entries_.front().at < oldest)) {
        held_ -= entries_.front().octets.size();
        dropped_ += entries_.front().octets.size();
        entries_.pop_front();
    }
}

Transcript FlightRecorder::transcript() const {
    Transcript out;
    if (dropped_ > 0) out.comments.push_back("the start is cut off: " + std::to_string(dropped_) + " octets");
    std::optional<Instant> before;
    for (const Entry& entry : entries_) {
        if (before) {
            const auto pause = std::chrono::duration_cast<std::chrono::milliseconds>(entry.at - *before);
            if (pause.count() > 0) out.steps.push_back({TranscriptStep::Kind::pause, {}, pause});
        }
        before = entry.at;
        if (entry.is_remark) {
            out.comments.push_back("at step " + std::to_string(out.steps.size() + 1) + ": " + entry.octets);
        } else {
            out.steps.push_back({entry.kind, entry.octets, {}});
        }
    }
    return out;
}

namespace {

class RecordingStream final : public ByteStream {
public:
    RecordingStream(std::unique_ptr<ByteStream> inner, std::shared_ptr<FlightRecorder> recorder)
        : inner_{std::move(inner)}, recorder_{std::move(recorder)} {}

    aio::awaitable<Result<std::size_t>> read_some(std::span<std::uint8_t> into) override {
        auto got = co_await inner_->read_some(into);
        if (got) {
            recorder_->record(TranscriptStep::Kind::received, into.first(*got), BootClock::now());
        } else {
            recorder_->remark("read: " + got.error().text(), BootClock::now());
        }
        co_return got;
    }
    aio::awaitable<Result<void>> write(std::span<const std::uint8_t> octets) override {
        if (octets.size() != std::exchange(recorded_, 0)) recorder_->record(TranscriptStep::Kind::sent, octets, BootClock::now());
        auto done = co_await inner_->write(octets);
        if (!done) recorder_->remark("write: " + done.error().text(), BootClock::now());
        co_return done;
    }
    Result<std::size_t> write_now(std::span<const std::uint8_t> octets) override {
        recorded_ = 0;
        const auto taken = inner_->write_now(octets);
        if (taken && *taken == 0) return taken;
        recorder_->record(TranscriptStep::Kind::sent, octets, BootClock::now());  // half a command could not be told to hold a secret
        if (!taken) recorder_->remark("write: " + taken.error().text(), BootClock::now());
        if (taken) recorded_ = octets.size() - *taken;
        return taken;
    }
    void close() override { inner_->close(); }
    int descriptor() const override { return inner_->descriptor(); }

private:
    std::unique_ptr<ByteStream> inner_;
    std::shared_ptr<FlightRecorder> recorder_;
    std::size_t recorded_ = 0;  ///< octets of the next write()
};

}  // namespace

std::unique_ptr<ByteStream> record(std::unique_ptr<ByteStream> inner, std::shared_ptr<FlightRecorder> recorder) {
    return std::make_unique<RecordingStream>(std::move(inner), std::move(recorder));
}

}  // namespace conductor::port
