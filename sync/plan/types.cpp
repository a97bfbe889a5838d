#include "sync/plan/types.hpp"

#include <array>
#include <utility>

namespace conductor::sync {

const char* errc_library(SyncErrc) {
    return "sync";
}

std::string_view describe(SyncErrc e) {
    switch (e) {
        case SyncErrc::bad_answer: return "the server's answer is not what API.md promises";
        case SyncErrc::transport: return "the server cannot be reached";
        case SyncErrc::retry_later: return "the server is busy or restarting";
        case SyncErrc::unauthorized: return "the server refuses this box's credentials";
        case SyncErrc::forbidden: return "this box is disabled or fenced, or the project is restricted";
        case SyncErrc::not_ready: return "the server's schema does not fit this version";
        case SyncErrc::rejected: return "the server refuses the data of this request";
    }
    return "?";
}

namespace {
constexpr std::array<std::pair<EventKind, std::string_view>, 14> kinds = {{{EventKind::attempt, "attempt"},
                                                                           {EventKind::part, "part"},
                                                                           {EventKind::sent, "sent"},
                                                                           {EventKind::delivered, "delivered"},
                                                                           {EventKind::undelivered, "undelivered"},
                                                                           {EventKind::failed, "failed"},
                                                                           {EventKind::expired, "expired"},
                                                                           {EventKind::cancelled, "cancelled"},
                                                                           {EventKind::suppressed, "suppressed"},
                                                                           {EventKind::released, "released"},
                                                                           {EventKind::unknown, "unknown"},
                                                                           {EventKind::opt_out, "opt_out"},
                                                                           {EventKind::opt_in, "opt_in"},
                                                                           {EventKind::heartbeat, "heartbeat"}}};
}

std::string_view to_string(EventKind kind) {
    for (const auto& [value, word] : kinds)
        if (value == kind) return word;
    return "?";
}

std::optional<EventKind> parse_event_kind(std::string_view text) {
    for (const auto& [value, word] : kinds)
        if (word == text) return value;
    return std::nullopt;
}

std::optional<Verdict> parse_verdict(std::string_view text) {
    if (text == "applied") return Verdict::applied;
    if (text == "duplicate") return Verdict::duplicate;
    if (text == "stale_epoch") return Verdict::stale_epoch;
    if (text == "unknown_job") return Verdict::unknown_job;
    if (text == "rejected") return Verdict::rejected;
    return std::nullopt;
}

}  // namespace conductor::sync
