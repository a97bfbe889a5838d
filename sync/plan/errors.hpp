#pragma once
// What an HTTP answer means: a class of error and what to do about it, never one exact code (SUPABASE.md 8.8).
#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "sync/plan/types.hpp"

namespace conductor::sync {

enum class Action : std::uint8_t {
    none,        ///< it worked
    retry,       ///< passes by itself: back off
    refresh,     ///< the token: refresh once and repeat, then log in, then stop and raise an alarm
    other_key,   ///< the publishable key: try the next one
    restricted,  ///< disabled box, quota, paused project: long back-off, keep sending what is pinned
    not_ready,   ///< schema too old, too new or being reloaded: keep the data
    bisect,      ///< the data of this request: halve the batch until the bad item is alone
};
std::string_view to_string(Action a);

/// An HTTP answer, or with status 0 the lack of one.
struct HttpAnswer {
    long status = 0;
    std::string body;
    std::optional<std::chrono::seconds> retry_after;
};

struct Judgement {
    Action action = Action::none;
    std::string code;     ///< PostgREST's or Auth's code, if the body is JSON and has one
    std::string message;  ///< for logs; cut at 200 octets, never data of ours
};

/// Judges an answer of /rest/v1/rpc/*. A 2xx is judged by its status alone.
Judgement judge_rest(const HttpAnswer& answer);
/// Judges an answer of /auth/v1/token: `refresh` means that this refresh token is spent, so log in with the password;
/// `restricted` that the password is refused.
Judgement judge_auth(const HttpAnswer& answer);

/// The error that a caller gets for an action; meaningless for Action::none.
SyncErrc errc_of(Action action);

/// Seconds of a Retry-After header (RFC 9110 §10.2.3); the date form and 0 count as none. Cut at one hour.
std::optional<std::chrono::seconds> parse_retry_after(std::string_view value);

/// True for https, and for http to 127.0.0.1, ::1 and localhost alone.
bool is_allowed_url(std::string_view url);

}  // namespace conductor::sync
