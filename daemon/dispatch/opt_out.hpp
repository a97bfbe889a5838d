#pragma once
// What an incoming text asks for: STOP, START, HELP, or a revocation in free words.
#include <string>
#include <string_view>

#include "daemon/config/config.hpp"

namespace conductor::dispatch {

enum class Wish : std::uint8_t {
    none,
    stop,    ///< one of the configured words is the whole text
    revoke,  ///< free words ("stop texting me"): suppress, and flag for review
    start,
    help,
};
/// The whole text is compared, blind to case, punctuation, spaces and width.
Wish wish_of(std::string_view text, const config::OptOut& config);
/// The answer that a wish gets, {brand} filled in; empty where none is due (none, revoke gets the confirmation of stop).
std::string answer_to(Wish wish, const config::OptOut& config);

}  // namespace conductor::dispatch
