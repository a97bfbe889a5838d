#include "daemon/dispatch/states.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace conductor;
using namespace conductor::dispatch;

namespace {

/// "queued: queued sending ...": a line for each state.
template <class Status>
std::string table(std::span<const Status> all) {
    std::string out;
    for (const Status from : all) {
        out += std::string{to_string(from)} + ":";
        for (const Status to : all)
            if (may_follow(from, to)) out += " " + std::string{to_string(to)};
        out += "\n";
    }
    return out;
}

}  // namespace

TEST_CASE("states: what may follow what, the whole table") {
    CHECK(table(all_message_states()) ==
          "queued: queued sending sent delivered undelivered failed expired cancelled suppressed unknown\n"
          "sending: queued sending sent delivered undelivered failed expired unknown\n"
          "sent: sent delivered undelivered\n"
          "delivered: delivered\n"
          "undelivered: queued sent delivered undelivered\n"
          "failed: queued sent delivered undelivered failed\n"
          "expired: queued sent delivered undelivered expired\n"
          "cancelled: queued sent delivered undelivered cancelled\n"
          "suppressed: queued sent delivered undelivered suppressed\n"
          "unknown: queued sent delivered undelivered unknown\n"
          "unread: unread read\n"
          "read: read\n");
    CHECK(table(all_part_states()) ==
          "waiting: waiting submitting sent unknown\n"
          "submitting: waiting submitting sent delivered failed unknown\n"
          "sent: sent delivered failed\n"
          "delivered: delivered\n"
          "failed: sent delivered failed\n"
          "unknown: sent delivered failed unknown\n");
}

TEST_CASE("states: evidence corrects upwards") {
    std::string out;
    for (const auto from : all_message_states())
        for (const auto to : all_message_states())
            if (is_final(from, DeliveryStatus::none) && is_upward(from, to) && may_follow(from, to))
                out += std::string{to_string(from)} + ">" + std::string{to_string(to)} + " ";
    CHECK(out ==
          "sent>delivered undelivered>sent undelivered>delivered failed>sent failed>delivered failed>undelivered expired>sent "
          "expired>delivered expired>undelivered cancelled>sent cancelled>delivered cancelled>undelivered suppressed>sent "
          "suppressed>delivered suppressed>undelivered unknown>sent unknown>delivered unknown>undelivered ");
}
