#pragma once

#include <sys/types.h>

#include <csignal>
#include <functional>
#include <string>
#include <vector>

// Other processes for tests: a forked child that runs a function, and programs such as the sqlite3
// shell. They synchronise with the test through pipes, so that no test sleeps.

namespace ashmemo::test {

/// The result of a child. If a signal killed it, exit_code is 128 + the number of the signal, as in
/// a shell. SIGALRM ends a forked child after one minute.
struct ChildEnd {
  int exit_code = 0;
  std::string said;  // the text that the function returned, or the output of both streams
};

/// The exit code of a child that SIGKILL ended.
inline constexpr int kKilled = 128 + SIGKILL;

/// Runs `work` in a forked child and waits for its end. `said` is the returned text, or the text of
/// an exception, with exit code 1. No destructor of the test runs in the child. Under a sanitizer,
/// a child that hangs is forked again, at most twice: see child.cpp. Assertions in the child are
/// lost, so return the values to check.
[[nodiscard]] ChildEnd in_child(const std::function<std::string()>& work);

/// Gives up the rights of root permanently, if this process has them. For permission tests; only in
/// a child.
void drop_privileges();
[[nodiscard]] bool is_root();

/// A forked child that runs beside the test. Both wait for each other with `wait_for` and `notify`.
/// The destructor kills it.
class Child {
 public:
  /// The test, seen from the child.
  class Parent {
   public:
    void notify();    // wakes the test in Child::wait_for
    void wait_for();  // waits for Child::notify; ends the child if the test has ended

   private:
    friend class Child;
    Parent(int in, int out) : in_(in), out_(out) {}
    int in_;
    int out_;
  };

  explicit Child(const std::function<std::string(Parent&)>& work);
  ~Child();
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  /// Waits until the child calls `notify`. Returns false if the child ended first.
  [[nodiscard]] bool wait_for();
  void notify();
  /// Kills the child at once, as a crash would. If it had already ended, returns that result.
  ChildEnd kill();
  /// Waits until the child ends by itself.
  [[nodiscard]] ChildEnd wait_for_end();

 private:
  pid_t pid_ = -1;
  int turns_in_ = -1;   // bytes from the child's notify
  int turns_out_ = -1;  // bytes to the child's wait_for
  int said_in_ = -1;
};

/// Runs a program from PATH with empty input. Returns its result and all its output.
[[nodiscard]] ChildEnd run_program(const std::vector<std::string>& arguments);

/// A program that runs beside the test: send it lines and read lines of its output. The destructor
/// kills it.
class Program {
 public:
  explicit Program(const std::vector<std::string>& arguments);
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  void send(const std::string& line);  // a newline is added
  /// The next line of either stream, without its newline; empty at the end of the output.
  [[nodiscard]] std::string read_line();
  /// Closes its input and waits for its end. `said` is the output that was not yet read.
  [[nodiscard]] ChildEnd finish();

 private:
  pid_t pid_ = -1;
  int in_ = -1;   // its output
  int out_ = -1;  // its input
};

}  // namespace ashmemo::test
