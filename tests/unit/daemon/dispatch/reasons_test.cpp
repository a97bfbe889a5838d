#include "daemon/dispatch/reasons.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

using namespace conductor;
using namespace conductor::dispatch;

TEST_CASE("reasons: each word once, with a whole sentence in every form") {
    std::set<std::string_view> seen;
    for (const std::string_view word : reason_words()) {
        CAPTURE(std::string{word});
        CHECK(seen.insert(word).second);
        CHECK(known_reason(word));
        for (const std::string_view detail : {"", "DETAIL"}) {
            const std::string text = reason_text(word, detail);
            CHECK(text.size() > 20);
            CHECK(text.ends_with('.'));
            CHECK(text.find('%') == std::string::npos);
            CHECK(text.find(std::string{word} + "\"") == std::string::npos);
        }
        CHECK(reason_text(word) == reason_text(word, MessageStatus::queued));
    }
    for (const std::string_view word :
         {"quiet-hours", "per-recipient-gap", "no-modem",         "no-consent",    "opted-out",        "restored",
          "timeout",     "incomplete",        "validity-expired", "paused",        "sim-limit",        "daily-budget",
          "duplicate",   "expired",           "port-lost",        "unregistered",  "bad-number",       "unconfirmed",
          "denied",      "emergency-only",    "no-coverage",      "not-searching", "plan-without-sms", "interrupted"})
        CHECK(seen.contains(word));
}

TEST_CASE("reasons: numbers of the network, by what became of the message") {
    CHECK(reason_text("cms-38") ==
          "The network is out of order, or the number is disabled. It is tried again by itself, with growing pauses, until it expires.");
    CHECK(reason_text("cms-38", MessageStatus::failed) ==
          "The network is out of order, or the number is disabled. All attempts were used. Mend the cause, then conductorctl queue retry.");
    CHECK(reason_text("cms-332", MessageStatus::unknown).starts_with("The network did not answer in time. It may have gone out"));
    CHECK(reason_text("cms-1", MessageStatus::failed) ==
          "The number is not assigned. It is not tried again. Check the number, or remove it from the list.");
    CHECK(reason_text("cme-14").starts_with("The SIM is busy."));
    for (int code = 0; code < 1000; ++code)
        for (const std::string prefix : {"cms-", "cme-"}) {
            CHECK(known_reason(prefix + std::to_string(code)));
            CHECK(reason_text(prefix + std::to_string(code)).ends_with('.'));
        }
    for (const std::string word : {"cms-", "cms-x", "cms-1x", "cme--1", "cms-99999999999999999999", "no-such-word"}) {
        CAPTURE(word);
        CHECK_FALSE(known_reason(word));
        CHECK(reason_text(word).find("\"" + word + "\"") != std::string::npos);
    }
    CHECK(reason_text("") == "");
    CHECK(reason_text("duplicate", "17").find("message 17") != std::string::npos);
}

TEST_CASE("reasons: no word in the daemon's sources is without a sentence") {
    // reason = "word" and .reason = "word" in the folders that give reasons
    std::set<std::string> words;
    for (const std::string folder : {"/daemon/dispatch", "/daemon/service", "/modem/driver"}) {
        const std::filesystem::path path = SOURCE_DIR + folder;
        if (!std::filesystem::exists(path)) continue;
        for (const auto& entry : std::filesystem::directory_iterator{path}) {
            if (entry.path().extension() != ".cpp") continue;
            std::ifstream in{entry.path()};
            std::stringstream whole;
            whole << in.rdbuf();
            const std::string text = whole.str();
            for (std::size_t at = text.find("set(ModemState::"); at != text.npos; at = text.find("set(ModemState::", at + 1)) {
                const std::string call = text.substr(at, text.find(';', at) - at);  // set(ModemState::blocked, "word", "sentence")
                const std::size_t begin = call.find(", \"");
                if (begin != call.npos) words.insert(call.substr(begin + 3, call.find('"', begin + 3) - begin - 3));
            }
            for (const std::string_view before :
                 {"reason = \"", "refuse(\"", "abandon(row, MessageStatus::failed, \"", "block(\"", "misplaced(\""})
                for (std::size_t at = text.find(before); at != std::string::npos; at = text.find(before, at + 1)) {
                    const std::size_t begin = at + before.size();
                    words.insert(text.substr(begin, text.find('"', begin) - begin));
                }
        }
    }
    CHECK(words.size() >= 10);
    for (const std::string& word : words) {
        CAPTURE(word);
        CHECK((word.empty() || known_reason(word)));
    }
}
