#include "sync/plan/types.hpp"

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

std::optional<Verdict> parse_verdict(std::string_view text) {
    if (text == "applied") return Verdict::applied;
    if (text == "duplicate") return Verdict::duplicate;
    if (text == "stale_epoch") return Verdict::stale_epoch;
    if (text == "unknown_job") return Verdict::unknown_job;
    if (text == "rejected") return Verdict::rejected;
    return std::nullopt;
}

}  // namespace conductor::sync
