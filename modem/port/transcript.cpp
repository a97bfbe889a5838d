#include "modem/port/transcript.hpp"

#include <charconv>
#include <optional>

namespace conductor::port {
namespace {

int hex_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

std::optional<std::string> unescape(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '\\') {
            out += text[i];
            continue;
        }
        if (++i == text.size()) return std::nullopt;
        switch (text[i]) {
            case 'r': out += '\r'; break;
            case 'n': out += '\n'; break;
            case 't': out += '\t'; break;
            case '\\': out += '\\'; break;
            case 'x': {
                if (text.size() - i < 3) return std::nullopt;
                const int high = hex_value(text[i + 1]), low = hex_value(text[i + 2]);
                if (high < 0 || low < 0) return std::nullopt;
                out += static_cast<char>(high * 16 + low);
                i += 2;
                break;
            }
            default: return std::nullopt;
        }
    }
    return out;
}

std::optional<std::chrono::milliseconds> parse_pause(std::string_view text) {
    long value = 0;
    const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (ec != std::errc{} || value < 0 || std::string_view{end, static_cast<std::size_t>(text.data() + text.size() - end)} != "ms")
        return std::nullopt;
    return std::chrono::milliseconds{value};
}

}  // namespace

const char* errc_library(TranscriptErrc) {
    return "transcript";
}
std::string_view describe(TranscriptErrc e) {
    switch (e) {
        case TranscriptErrc::bad_line: return "a line begins with '#', '>', '<' or '!'";
        case TranscriptErrc::bad_escape: return "unknown escape";
        case TranscriptErrc::bad_pause: return "a pause is a number of ms";
    }
    return "?";
}

std::string escape(std::string_view octets) {
    std::string out;
    for (const char c : octets) {
        const auto o = static_cast<unsigned char>(c);
        switch (o) {
            case '\r': out += "\\r"; break;
            case '\n': out += "\\n"; break;
            case '\\': out += "\\\\"; break;
            default:
                if (o >= 0x20 && o < 0x7f) {
                    out += c;
                } else {
                    out += "\\x";
                    out += "0123456789abcdef"[o >> 4];
                    out += "0123456789abcdef"[o & 15];
                }
        }
    }
    return out;
}

Result<Transcript> parse_transcript(std::string_view text) {
    Transcript out;
    for (std::size_t number = 1; !text.empty(); ++number) {
        const std::size_t end = text.find('\n');
        std::string_view line = text.substr(0, end);
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
        if (line.empty()) continue;
        const char mark = line.front();
        line.remove_prefix(1);
        if (!line.empty() && line.front() == ' ') line.remove_prefix(1);
        if (mark == '#') {
            out.comments.emplace_back(line);
        } else if (mark == '>' || mark == '<') {
            auto octets = unescape(line);
            if (!octets) return fail(TranscriptErrc::bad_escape, "line", number);
            out.steps.push_back({mark == '>' ? TranscriptStep::Kind::sent : TranscriptStep::Kind::received, std::move(*octets), {}});
        } else if (mark == '!') {
            const auto pause = parse_pause(line);
            if (!pause) return fail(TranscriptErrc::bad_pause, "line", number);
            out.steps.push_back({TranscriptStep::Kind::pause, {}, *pause});
        } else {
            return fail(TranscriptErrc::bad_line, "line", number);
        }
    }
    return out;
}

std::string format_transcript(const Transcript& transcript) {
    std::string out;
    for (const std::string& comment : transcript.comments) out += "# " + comment + "\n";
    for (const TranscriptStep& step : transcript.steps) switch (step.kind) {
            case TranscriptStep::Kind::sent: out += "> " + escape(step.octets) + "\n"; break;
            case TranscriptStep::Kind::received: out += "< " + escape(step.octets) + "\n"; break;
            case TranscriptStep::Kind::pause: out += "! " + std::to_string(step.pause.count()) + "ms\n"; break;
        }
    return out;
}

}  // namespace conductor::port
