#pragma once
// Supabase as a test tells it to be: POST /rest/v1/rpc/<function> and /auth/v1/token on a port of this machine, each answer with the
// server's time. It keeps what it was asked and told.
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/streambuf.hpp>
#include <boost/asio/write.hpp>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "daemon/aio/aio.hpp"

namespace conductor::test {

struct FakeSupabase {
    using tcp = boost::asio::ip::tcp;
    using json = nlohmann::json;

    FakeSupabase(boost::asio::io_context& io_, std::function<WallTime()> time_)
        : io{io_}, time{std::move(time_)}, acceptor{io_, tcp::endpoint{boost::asio::ip::address_v4::loopback(), 0}} {
        boost::asio::co_spawn(io, accept(this), boost::asio::detached);
    }
    std::string url() const { return "http://127.0.0.1:" + std::to_string(acceptor.local_endpoint().port()); }
    static aio::awaitable<void> accept(FakeSupabase* self) {
        for (;;) {
            auto [ec, socket] = co_await self->acceptor.async_accept(aio::as_value);
            if (ec) co_return;
            boost::asio::co_spawn(self->io, serve(self, std::move(socket)), boost::asio::detached);
        }
    }
    static aio::awaitable<void> serve(FakeSupabase* self, tcp::socket socket) {
        boost::asio::streambuf buffer;
        const int mine = ++self->connections;
        for (;;) {
            const auto [ec, n] = co_await boost::asio::async_read_until(socket, buffer, "\r\n\r\n", aio::as_value);
            if (ec) co_return;
            const std::string head{boost::asio::buffers_begin(buffer.data()),
                                   boost::asio::buffers_begin(buffer.data()) + static_cast<long>(n)};
            buffer.consume(n);
            const auto length = static_cast<std::size_t>(std::stoul(head.substr(head.find("Content-Length: ") + 16)));
            if (buffer.size() < length) {
                const auto missing = boost::asio::transfer_exactly(length - buffer.size());
                const auto [failed, more] = co_await boost::asio::async_read(socket, buffer, missing, aio::as_value);
                if (failed) co_return;
            }
            const std::string body{boost::asio::buffers_begin(buffer.data()),
                                   boost::asio::buffers_begin(buffer.data()) + static_cast<long>(length)};
            buffer.consume(length);
            if (mine <= self->dead) continue;
            const auto function = function_of(head);
            if (const auto at = head.find("Bearer "); at != std::string::npos)
                self->bearer = head.substr(at + 7, head.find('\r', at) - at - 7);
            const std::string answer = self->answer_to(function, json::parse(body));
            if (const auto late = self->late.find(function); late != self->late.end()) {
                boost::asio::steady_timer timer{self->io, late->second};
                co_await timer.async_wait(aio::as_value);
            }
            const auto [error, written] = co_await boost::asio::async_write(socket, boost::asio::buffer(answer), aio::as_value);
            if (error) co_return;
        }
    }
    /// "token" is the login's.
    static std::string function_of(const std::string& head) {
        const auto end = head.find_first_of(" ?", 5);
        return head.substr(head.rfind('/', end) + 1, end - head.rfind('/', end) - 1);
    }
    std::string answer_to(const std::string& function, const json& body) {
        ++calls[function];
        order.push_back(function);
        last[function] = body.value("p", body);
        if (asked) asked(function);
        json out = answers.contains(function) ? answers[function] : json::object();
        fill(out, function, last[function]);
        out["server_now"] = to_rfc3339(time());
        const auto text = out.dump();
        const auto status = statuses.contains(function) ? statuses[function] : 200;
        return "HTTP/1.1 " + std::to_string(status) +
               " X\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(text.size()) + "\r\n\r\n" + text;
    }
    /// What an answer has at least.
    void fill(json& out, const std::string& function, const json& p) {
        if (!out.contains("alone")) out["alone"] = true;
        if (function == "gw_claim_v1" || function == "gw_mine_v1") {
            if (!out.contains("jobs")) out["jobs"] = json::array();
        } else if (function == "gw_report_v1") {
            out["verdicts"] = json::array();
            for (const auto& item : p.at("items")) {
                reported.push_back(item);
                out["verdicts"].push_back({{"id", item.at("event_id")}, {"verdict", "applied"}});
            }
        } else if (function == "gw_commands_v1") {
            out["commands"] = json::array();
            for (const auto& one : commands)
                if (one.at("id") > p.value("after", 0) && !acknowledged.contains(one.at("id").get<std::int64_t>()) &&
                    out["commands"].size() < p.value("limit", 100u))
                    out["commands"].push_back(one);
        } else if (function == "gw_ack_v1") {
            for (const auto& id : p.at("ids")) acknowledged.insert(id.get<std::int64_t>());
        } else if (function == "gw_hello_v1") {
            out["gateway_id"] = "box-1";
            out["pool"] = "main";
            out["generation"] = "1";
        }
    }
    /// Of the items that it was told, those about a message.
    std::vector<json> told() const {
        std::vector<json> out;
        for (const auto& item : reported)
            if (item.contains("job_id")) out.push_back(item);
        return out;
    }

    boost::asio::io_context& io;
    std::function<WallTime()> time;
    std::function<void(const std::string& function)> asked;  ///< before the answer is made
    tcp::acceptor acceptor;
    std::map<std::string, json> answers;
    std::map<std::string, int> statuses;                    ///< other than 200
    std::map<std::string, std::chrono::milliseconds> late;  ///< answers that take their time
    std::map<std::string, int> calls;
    std::map<std::string, json> last;      ///< what it was asked
    int connections = 0;                   ///< so far
    int dead = 0;                          ///< the first of them: what goes into them is lost
    std::string bearer;                    ///< the last token that it saw
    std::vector<std::string> order;        ///< of the calls
    std::vector<json> commands, reported;  ///< what it asks for until it is acknowledged; what it was told
    std::set<std::int64_t> acknowledged;
};

}  // namespace conductor::test
