#pragma once
// The prepaid balance of a SIM out of what its operator answers to a USSD code.
#include <optional>
#include <string>
#include <string_view>

namespace conductor::dispatch {

/// The amount in `answer`, by `balance.pattern`: literal text around the placeholder "{balance}" ("Your balance is {balance} USD"). Letters
/// count in either case (ASCII), blanks and line ends of any number are one. Without the placeholder the pattern is the text before the
/// amount; an empty one means the first amount there is. Between that text and the amount only blanks, signs and a currency's sign may
/// stand, no letters: "Balance abc 7" has no amount for "Balance {balance}". Where the text before the amount occurs more than once, the
/// first place that an amount and the text behind it follow holds.
///
/// An amount has a sign or none, digits, and '.' ',' ''' or blanks between groups of three. The last '.' or ',' with one or two digits
/// behind it is the decimal sign, with three only where it cannot be a group: "1,234.50", "1.234,50", "5,2", "0.125" and "1 234" are
/// amounts; "1,234" is 1234.
std::optional<double> balance_in(std::string_view answer, std::string_view pattern);

/// What is kept of a SIM's balance over restarts, as one line of text.
struct BalanceState {
    std::optional<double> amount;  ///< the last one that was read
    std::int64_t asked_ms = 0;     ///< since 1970 UTC; 0: never
    std::int64_t read_ms = 0;      ///< of `amount`
    int failures = 0;              ///< questions in a row that gave no amount
    std::string to_text() const;
    static BalanceState from_text(std::string_view text);  ///< of anything else: the initial state
    bool operator==(const BalanceState&) const = default;
};

}  // namespace conductor::dispatch
