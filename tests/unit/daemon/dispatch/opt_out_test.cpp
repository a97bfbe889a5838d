#include "daemon/dispatch/opt_out.hpp"

#include <doctest/doctest.h>

#include "daemon/dispatch/folding.hpp"

using namespace conductor::dispatch;
using conductor::config::OptOut;

TEST_CASE("wish_of") {
    constexpr auto none = Wish::none, stop = Wish::stop, revoke = Wish::revoke, start = Wish::start, help = Wish::help;
    struct Row {
        std::string text;
        Wish want;
    };
    const Row rows[] = {
        {"STOP", stop},
        {"stop", stop},
        {" Stop. ", stop},
        {"S T O P", stop},
        {"\"STOP!!!\"", stop},
        {"stop\n", stop},
        {"\xEF\xBC\xB3\xEF\xBC\xB4\xEF\xBC\xAF\xEF\xBC\xB0", stop},  // full width
        {"St\xC3\xB3p", stop},
        {"STOP \xF0\x9F\x98\xA1", stop},
        {"\xE2\x80\x9Cstop\xE2\x80\x9D", stop},
        {"opt out", stop},
        {"Opt-Out", stop},
        {"OPTOUT", stop},
        {"unsubscribe", stop},
        {"quit", stop},
        {"End", stop},
        {"Cancel.", stop},
        {"stop all", stop},
        {"start", start},
        {"UnStop", start},
        {"help?", help},
        {"Info", help},
        {"stop texting me", revoke},
        {"Please STOP texting me!!", revoke},
        {"pls stop", revoke},
        {"Please remove me from your list", revoke},
        {"take me off this list, thanks", revoke},
        {"don't text me again", revoke},
        {"Don\xE2\x80\x99t text me again", revoke},
        {"do not contact me", revoke},
        {"no more texts", revoke},
        {"Wrong number", revoke},
        {"I want to opt out", revoke},
        {"No me env\xC3\xAD"
         "en m\xC3\xA1s mensajes",
         revoke},
        {"ya no me escriban por favor", revoke},
        {"quiero darme de baja", revoke},
        {"\xC2\xA1"
         "Alto!",
         revoke},
        {"cancelar", revoke},
        {"BAJA", revoke},
        {"", none},
        {"   ", none},
        {"...", none},
        {"yes", none},
        {"Yes please", none},
        {"When do you stop selling?", none},
        {"is this a good stop for coffee", none},
        {"nonstop", none},
        {"the end", none},
        {"start the order", none},
        {"can you help me with my order", none},
        {"please stop by the store", none},
        {"please don't stop sending these", none},
        {"please don't take me off your list", none},
        {"Please stop texting me. Stop at once!", revoke},
        {"please stop at once", revoke},
        {"Don't stop by again, remove me from your list", revoke},
        {"please stop by, and please stop", revoke},
        {"do not remove me, but lose my number", revoke},
        {"please stop at the corner", none},
        {"cancel my order for tomorrow", none},
        {"hablo en voz baja", none},
        {"el precio es alto", none},
        {"\xE5\x81\x9C\xE6\xAD\xA2", none},  // another script is not an empty text
        {std::string(300, 'a') + " stop texting me", none},
        {std::string("\xFF\xFE\x80", 3), none},
    };
    const OptOut config;
    for (const Row& row : rows) {
        CAPTURE(row.text);
        CHECK(static_cast<int>(wish_of(row.text, config)) == static_cast<int>(row.want));
    }
    OptOut own;
    own.stop = {"BASTA YA"};
    CHECK(wish_of("basta-ya!", own) == stop);
    CHECK(wish_of("STOP", own) == none);
}

TEST_CASE("wish_of: a configured word with a few others around it") {
    const OptOut config;
    for (const std::string text : {"stop stop",
                                   "STOP STOP STOP STOP",
                                   "stop, thanks",
                                   "Stop msg",
                                   "Stop msgs",
                                   "STOP.\n\nSent from my iPhone",
                                   "stop\nSent from Yahoo Mail",
                                   "Stop\r\n\r\nGet Outlook for iOS",
                                   "Stop\n--\nJane Doe\nExample Inc.",
                                   "fuck off stop",
                                   "stopp",
                                   "STOPPP",
                                   "sttop",
                                   "stpo",
                                   "sotp",
                                   "stop now",
                                   "stop it",
                                   "stop this",
                                   "stop this shit",
                                   "STOP ALREADY",
                                   "just stop",
                                   "no, stop",
                                   "ok stop",
                                   "please just stop",
                                   "hi stop",
                                   "hey stop",
                                   "I said stop",
                                   "I said STOP!!!",
                                   "you need to stop",
                                   "this needs to stop",
                                   "stop spam",
                                   "stop ads",
                                   "stop bro",
                                   "stop Kevin",
                                   "stop to end",
                                   "STOP 2 END",
                                   "stop thank you",
                                   "thanks, stop",
                                   "stop unsubscribe",
                                   "stop u spam",
                                   "stop stupid",
                                   "stop all texts",
                                   "unsubscribe now",
                                   "unsubscribe thanks",
                                   "unsubscribe me",
                                   "Unsubscribe this number",
                                   "please unsubscribe",
                                   "opt out please",
                                   "Opt out, thank you",
                                   "unsubscribe stop",
                                   "STOPALL please",
                                   "cancel please",
                                   "quit, thanks",
                                   "end msgs",
                                   "Cancel messages",
                                   "cancell",
                                   "stop. wrong person",
                                   "not interested. Please stop",
                                   "STOP\n-Jane",
                                   "go away stop",
                                   "stop please\n\nSent from my iPhone",
                                   "optout thanks",
                                   "stop now!!! \xF0\x9F\x98\xA1"}) {
        CAPTURE(text);
        CHECK(static_cast<int>(wish_of(text, config)) == static_cast<int>(Wish::revoke));
    }
    for (const std::string text : {"stop by the shop tomorrow?",
                                   "Stop by tomorrow",
                                   "bus stop",
                                   "next stop",
                                   "don't stop",
                                   "Dont stop please",
                                   "I can't stop thanking you",
                                   "I can't stop",
                                   "can't stop laughing",
                                   "won't stop",
                                   "it won't stop",
                                   "never stop",
                                   "where do you stop?",
                                   "which stop?",
                                   "is that my stop",
                                   "stop at the counter",
                                   "stop in later",
                                   "stop for coffee",
                                   "stop over",
                                   "stop laughing",
                                   "stop lying lol",
                                   "stop and shop",
                                   "stop sign",
                                   "stop the car",
                                   "stop 4",
                                   "stop my order",
                                   "stop order",
                                   "stop?no wait, don't",
                                   "one more stop",
                                   "coffee stop",
                                   "pit stop",
                                   "full stop",
                                   "lunch stop",
                                   "last stop",
                                   "a quick stop",
                                   "my stop",
                                   "cancel my order",
                                   "cancel it",
                                   "cancel that",
                                   "cancel order 17",
                                   "cancel the second one",
                                   "can you cancel",
                                   "I want to cancel",
                                   "the end",
                                   "weekend",
                                   "end of day",
                                   "in the end",
                                   "end times",
                                   "quit smoking",
                                   "I quit",
                                   "I quit my job today",
                                   "the weekend",
                                   "quiet",
                                   "spot",
                                   "post",
                                   "step",
                                   "shop",
                                   "top",
                                   "stock",
                                   "stoppage time",
                                   "thanks",
                                   "Sent from my iPhone",
                                   "See you\nSent from my iPhone",
                                   "stop is at 5th street",
                                   "when does it stop",
                                   "non stop",
                                   "we had to stop",
                                   "Stop here",
                                   "stop near the gate",
                                   "it is hard to stop",
                                   "send",
                                   "ends",
                                   "ending",
                                   "help stop",
                                   "start"}) {
        CAPTURE(text);
        const auto wish = wish_of(text, config);
        CHECK((wish == Wish::none || wish == Wish::start));
    }
    OptOut own;
    own.stop = {"BASTA YA"};
    CHECK(wish_of("basta ya gracias", own) == Wish::none);  // nobody can say what that word is used for
    CHECK(wish_of("basta ya please", own) == Wish::revoke);
    CHECK(wish_of("stop thanks", own) == Wish::none);
    CHECK(wish_of(std::string(100'000, '\n') + "stop", config) == Wish::stop);
    CHECK(wish_of("stop" + std::string(100'000, '\n') + "x", config) == Wish::revoke);
}

TEST_CASE("answer_to") {
    OptOut config;
    config.brand = "Example Shop";
    CHECK(answer_to(Wish::stop, config) == "Example Shop: you are unsubscribed and get no more messages. Reply START to resume.");
    CHECK(answer_to(Wish::revoke, config) == answer_to(Wish::stop, config));
    CHECK(answer_to(Wish::start, config) == "Example Shop: you are subscribed again. Reply STOP to end.");
    CHECK(answer_to(Wish::none, config) == "");
    config.help_text = "{brand} {brand}";
    CHECK(answer_to(Wish::help, config) == "Example Shop Example Shop");
    config.brand = "{brand}";
    CHECK(answer_to(Wish::help, config) == "{brand} {brand}");  // ends
    config.brand = "";
    CHECK(answer_to(Wish::stop, config) == "you are unsubscribed and get no more messages. Reply START to resume.");
}

TEST_CASE("may_answer: two gateways do not talk for ever") {
    struct Row {
        std::string name;
        Wish wish;
        AnswerHistory history;
        bool want;
    };
    const Row rows[] = {{"first STOP", Wish::stop, {}, true},
                        {"STOP again", Wish::stop, {.opted_out = true}, false},
                        {"first START of one who never left", Wish::start, {}, false},
                        {"START after STOP", Wish::start, {.opted_out = true}, true},
                        {"HELP", Wish::help, {.opted_out = true}, true},
                        {"HELP again within a day", Wish::help, {.same_last_day = 1, .all_last_day = 1}, false},
                        {"STOP and START in turns", Wish::stop, {.same_last_day = 2, .all_last_day = 4}, false},
                        {"nothing", Wish::none, {}, false}};
    for (const Row& row : rows) {
        CAPTURE(row.name);
        CHECK(may_answer(row.wish, row.history) == row.want);
    }
}

TEST_CASE("fold") {
    struct Row {
        std::string text, want;
    };
    const Row rows[] = {{"\xC2\xA1Stop, por favor!", "STOP POR FAVOR"},
                        {"don't", "DONT"},
                        {"  a  b ", "A B"},
                        {"\xC3\xB1\xC3\xA9\xC3\x9F\xC5\x82", "NESL"},
                        {"e\xCC\x81", "E"},
                        {"a\xE2\x80\x8B"
                         "b",
                         "AB"},
                        {"1\xEF\xB8\x8F\xE2\x83\xA3", "1"},
                        {"a\xE4\xB8\xAD", "A?"},
                        {"", ""}};
    for (const Row& row : rows) {
        CAPTURE(row.text);
        CHECK(fold(row.text) == row.want);
        CHECK(fold(row.want).size() <= row.want.size());
    }
    CHECK(joined_fold("opt - out") == "OPTOUT");
}
