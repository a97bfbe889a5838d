#pragma once
// One stack for all test cases of the program, emptied before each; coroutines run to their end on an io_context.
#include <boost/asio/io_context.hpp>
#include <exception>
#include <optional>

#include "sync/client/client.hpp"
#include "tests/support/supabase/stack.hpp"

namespace conductor::sync_test {

using nlohmann::json;

/// The one stack, with its tables emptied and its faults gone.
supabase_stack::Stack& fresh_stack();

struct World {
    World() : stack{fresh_stack()} {}

    sync::ClientSettings settings(const json& gateway) const;
    sync::ClientSettings settings() const { return settings(stack.gateway()); }

    /// Runs `task` to its end on the io_context.
    template <class T>
    T run(aio::awaitable<T> task) {
        std::optional<T> out;
        std::exception_ptr thrown;
        boost::asio::co_spawn(io, std::move(task), [&](std::exception_ptr e, T value) {
            thrown = e;
            if (!e) out = std::move(value);
        });
        io.restart();
        io.run();
        if (thrown) std::rethrow_exception(thrown);
        return std::move(*out);
    }
    /// `n` rows as a producer inserts them, all due: numbers from +15550100000.
    void schedule(int n);

    boost::asio::io_context io;
    supabase_stack::Stack& stack;
};

/// A UUID with this number in it.
std::string uuid(int n);
sync::ClaimRequest claim_of(std::string request_id, int limit);

}  // namespace conductor::sync_test
