#include "modem/at/errors.hpp"

#include <doctest/doctest.h>

#include <sstream>
#include <vector>

#include "modem/at/errors_table.hpp"

using namespace conductor::at;
using enum ErrorClass;

namespace {

Failure cms(int code, Phase phase = Phase::after_ctrl_z) {
    return {FailureKind::cms, code, phase};
}
Failure cme(int code, Phase phase = Phase::before_ctrl_z) {
    return {FailureKind::cme, code, phase};
}

/// "1 8-10" to {1, 8, 9, 10}.
std::vector<int> codes(const std::string& list) {
    std::vector<int> out;
    std::istringstream in{list};
    for (std::string word; in >> word;) {
        const std::size_t dash = word.find('-');
        const int first = std::stoi(word), last = dash == std::string::npos ? first : std::stoi(word.substr(dash + 1));
        for (int code = first; code <= last; ++code) out.push_back(code);
    }
    return out;
}

}  // namespace

TEST_CASE("error table: +CMS ERROR by class") {
    struct Row {
        ErrorClass want;
        std::string codes;
    };
    const Row rows[] = {// after Ctrl-Z, definite refusals
                        {permanent_recipient, "1 28 30 195 196"},
                        {permanent_content, "95-97 99 128-130 143-145 159-161 175-176 198-199 209 303-305"},
                        {transient, "11 17 21-22 27 38 41-42 47 111 127 192 194 213 224-255 331 2-7 100 200"},
                        {busy, "81 98 208 211-212 301-302 314 320 322"},
                        {modem, "210 313"},
                        {human, "8 10 29 34 50 69 193 310-312 315-318 330"},
                        {duplicate, "197"},
                        {ambiguous, "0 300 332 340 500 512-522 532 535 538 549-554 615-616 640 770 772 999 4711 256 257 299"}};
    for (const Row& row : rows)
        for (const int code : codes(row.codes)) {
            CAPTURE(code);
            CHECK(classify(cms(code)).error_class == row.want);
            CHECK(classify(cms(code)).word == "cms-" + std::to_string(code));
            CHECK(is_definite(cms(code)) == (row.want != ambiguous));
        }
    const Row before[] = {// where nothing can have gone out
                          {transient, "332 500 521 615-616 4711"},
                          {busy, "256 512 515 522 532 535 640"},
                          {modem, "300 321 340 772 400"},
                          {permanent_content, "513-514 516-520 538 549-554"},
                          {human, "770 310"}};
    for (const Row& row : before)
        for (const int code : codes(row.codes)) {
            CAPTURE(code);
            CHECK(classify(cms(code, Phase::before_ctrl_z)).error_class == row.want);
        }
}

TEST_CASE("error table: +CME ERROR by class, before Ctrl-Z; after it each is ambiguous") {
    struct Row {
        ErrorClass want;
        std::string codes;
    };
    const Row rows[] = {{modem, "0-2 13 21-23 51 53-55 60 100"},
                        {busy, "3 14 20 52 57 515"},
                        {permanent_content, "4 24-27 50 58-59 61"},
                        {human, "5-7 10-12 15-18 40-49 56 62 103 106-107 111-113 132-134"},
                        {transient, "30-32 148-150 200 9999"}};
    for (const Row& row : rows)
        for (const int code : codes(row.codes)) {
            CAPTURE(code);
            CHECK(classify(cme(code)).error_class == row.want);
            CHECK(classify(cme(code)).word == "cme-" + std::to_string(code));
            CHECK(classify(cme(code, Phase::after_ctrl_z)).error_class == ambiguous);
        }
}

TEST_CASE("error table: without a number") {
    struct Row {
        FailureKind kind;
        Phase phase;
        ErrorClass want;
        std::string word;
        bool counts;
    };
    const Row rows[] = {{FailureKind::plain_error, Phase::before_ctrl_z, busy, "error", true},
                        {FailureKind::plain_error, Phase::after_ctrl_z, ambiguous, "error", true},
                        {FailureKind::timeout, Phase::before_ctrl_z, modem, "timeout", false},
                        {FailureKind::timeout, Phase::after_ctrl_z, ambiguous, "timeout", true},
                        {FailureKind::hang_up, Phase::before_ctrl_z, modem, "port-lost", false},
                        {FailureKind::hang_up, Phase::after_ctrl_z, ambiguous, "port-lost", true},
                        {FailureKind::no_prompt, Phase::before_ctrl_z, modem, "no-prompt", false},
                        {FailureKind::cms, Phase::after_ctrl_z, ambiguous, "error", true},
                        {FailureKind::cme, Phase::before_ctrl_z, busy, "error", true}};
    for (const Row& row : rows) {
        CAPTURE(row.word);
        const Failure f{row.kind, std::nullopt, row.phase};
        const Verdict v = classify(f);
        CHECK(v.error_class == row.want);
        CHECK(v.word == row.word);
        CHECK(v.counts == row.counts);
        CHECK(is_definite(f) == (row.want != ambiguous));
    }
}

TEST_CASE("error table: scope, limits and pauses") {
    struct Row {
        Failure failure;
        Scope scope;
        bool counts;
        int tries, delay;
    };
    const Row rows[] = {{cms(1), Scope::recipient, true, 0, 0},
                        {cms(8), Scope::sim, false, 0, 0},
                        {cms(10), Scope::sim, false, 2, 0},
                        {cms(21), Scope::sim, true, 2, 0},
                        {cms(27), Scope::recipient, true, 0, 900},
                        {cms(38), Scope::recipient, true, 3, 0},
                        {cms(41), Scope::network, true, 0, 0},
                        {cms(81), Scope::message, false, 2, 2},
                        {cms(111), Scope::network, true, 3, 0},
                        {cms(314), Scope::sim, false, 5, 2},
                        {cms(330), Scope::sim, false, 2, 0},
                        {cms(331), Scope::network, false, 0, 0},
                        {cms(332, Phase::before_ctrl_z), Scope::network, false, 0, 0},
                        {cms(500), Scope::sim, true, 0, 0},
                        {cme(30), Scope::network, false, 0, 0},
                        {cme(14), Scope::sim, false, 5, 2},
                        {cme(10), Scope::sim, false, 0, 0},
                        {cme(24), Scope::message, true, 0, 0}};
    for (const Row& row : rows) {
        const Verdict v = classify(row.failure);
        CAPTURE(v.word);
        CHECK(v.scope == row.scope);
        CHECK(v.counts == row.counts);
        CHECK(v.tries == row.tries);
        CHECK(v.first_delay == std::chrono::seconds{row.delay});
    }
}

TEST_CASE("error table: total, and each verdict says what it means and what follows") {
    for (const FailureKind kind : {FailureKind::cms, FailureKind::cme})
        for (const Phase phase : {Phase::before_ctrl_z, Phase::after_ctrl_z})
            for (int code = -1; code <= 1100; ++code) {
                CAPTURE(code);
                const Verdict v = classify({kind, code, phase});
                CHECK(v.meaning.ends_with('.'));
                CHECK(v.advice.ends_with('.'));
                if (v.error_class == human || v.error_class == modem) CHECK_FALSE(v.counts);  // no attempt that could have worked
                if (phase == Phase::before_ctrl_z) CHECK(v.error_class != ambiguous);
                if (phase == Phase::after_ctrl_z && kind == FailureKind::cms)  // the contract's words, part 4
                    CHECK(is_definite({kind, code, phase}) == ((code >= 1 && code <= 255) || (code >= 301 && code <= 331)));
            }
    for (const auto rows : {cms_rows(), cme_rows()})
        for (std::size_t i = 0; i < rows.size(); ++i) {
            CAPTURE(rows[i].first);
            CHECK(rows[i].first <= rows[i].last);
            if (i > 0) CHECK(rows[i - 1].last < rows[i].first);
        }
}

TEST_CASE("a SIM that the modem cannot use is not one that its operator refuses") {
    for (const int code : {310, 311, 312, 313, 315, 316, 772}) CHECK(is_sim_unusable(FailureKind::cms, code));
    for (const int code : {8, 10, 12, 21, 29, 50, 193, 314, 330, 331, 500}) CHECK_FALSE(is_sim_unusable(FailureKind::cms, code));
    for (const int code : {5, 6, 7, 10, 11, 12, 13, 15, 16}) CHECK(is_sim_unusable(FailureKind::cme, code));
    for (const int code : {14, 17, 18, 30, 62, 103, 310}) CHECK_FALSE(is_sim_unusable(FailureKind::cme, code));
    CHECK_FALSE(is_sim_unusable(FailureKind::cms, std::nullopt));
    CHECK_FALSE(is_sim_unusable(FailureKind::timeout, 310));
}
