#include "daemon/dispatch/balance.hpp"

#include <doctest/doctest.h>

using namespace conductor::dispatch;

TEST_CASE("balance_in: amounts as operators write them") {
    struct Row {
        const char *answer, *pattern;
        std::optional<double> want;
    };
    const Row rows[] = {
        {"Your balance is 5.20 USD.", "Your balance is {balance} USD", 5.20},
        {"YOUR  BALANCE\nIS 5,20 USD", "your balance is {balance}", 5.20},
        {"Balance: $1,234.50, valid to 31.12.", "Balance:", 1234.50},
        {"Guthaben: 1.234,50 EUR", "Guthaben: {balance} EUR", 1234.50},
        {"Bal 1,234", "Bal {balance}", 1234},
        {"Bal 1.234", "Bal {balance}", 1234},
        {"Bal 1 234,5", "Bal {balance}", 1234.5},
        {"Bal 12 345 678", "Bal {balance}", 12345678},
        {"Bal 0.125.", "Bal {balance}", 0.125},
        {"Bal 1,234.500", "Bal {balance}", 1234.5},
        {"Bal 1.234.567", "Bal {balance}", 1234567},
        {"Debt: -3.50", "Debt: {balance}", -3.50},
        {"Data 2 GB. Credit 7.10 USD", "Credit {balance}", 7.10},
        {"Data 2 GB. Credit 7.10 USD", "{balance} USD", 7.10},
        {"5 min, 7 USD left", "{balance} USD", 7},
        {"It is 9", "", 9},
        {"Bonus 3 pts; Bonus 4 USD", "Bonus {balance} USD", 4},
        {"Your balance is unknown", "balance is {balance}", std::nullopt},
        {"Balance of card ending in 1234", "Balance", std::nullopt},
        {"", "{balance}", std::nullopt},
        {"nothing", "", std::nullopt},
        {"Balance abc 7", "Balance {balance}", std::nullopt},
        {"Balance abc 7", "Balance abc {balance}", 7},
        {"Balance not known. Balance 8", "Balance", 8},
        {"Balance: \u20ac 5,20", "Balance {balance}", 5.20},
        {"Balance = -\u00a33.50", "Balance", 3.50},
        {"Balance: - 3.50 USD", "Balance", -3.50},
        {"Balance 99999999999999999999999999", "Balance", 1e26},
    };
    for (const Row& row : rows) {
        CAPTURE(row.answer);
        CAPTURE(row.pattern);
        const auto got = balance_in(row.answer, row.pattern);
        REQUIRE(got.has_value() == row.want.has_value());
        if (got) CHECK(*got == doctest::Approx(*row.want));
    }
}

TEST_CASE("BalanceState: text and back, and nothing of rubbish") {
    const BalanceState full{.amount = 5.25, .asked_ms = 1'800'000'000'000, .read_ms = 1'800'000'000'500, .failures = 2};
    CHECK(BalanceState::from_text(full.to_text()) == full);
    const BalanceState none{.asked_ms = 7, .failures = 1};
    CHECK(BalanceState::from_text(none.to_text()) == none);
    for (const char* text : {"", "x", "1 2", "1 2 x -", "- - - -"}) CHECK(BalanceState::from_text(text) == BalanceState{});
}
