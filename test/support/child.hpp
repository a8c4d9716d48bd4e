#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

// Other processes for tests: a fork that runs a function, and programs such as the sqlite3 shell.
// All of them take turns with the test through pipes, so that no test sleeps.

namespace ashmemo::test {

/// How a child ended. Killed by a signal: exit_code is 128 + its number, as in a shell. A forked
/// child lives for a minute at most; SIGALRM ends one that hangs.
struct ChildEnd {
  int exit_code = 0;
  std::string said;  // what the function returned, or what the program printed (both streams)
};

/// Runs `work` in a forked child until its end. What it returns comes back as `said`; an exception
/// comes back as its text, with exit code 1. No destructor of the test runs in the child.
/// Under a sanitizer one that hangs is forked again, twice: its allocator may be to blame.
/// Assertions made in the child are lost: return what is to be asserted.
[[nodiscard]] ChildEnd in_child(const std::function<std::string()>& work);

/// Gives up root's rights for good, where there are any: for permission tests, in a child only.
void drop_privileges();
[[nodiscard]] bool is_root();

/// A forked child that runs beside the test and takes turns with it. Killed by the destructor.
class Child {
 public:
  /// What the child sees of the test.
  class Parent {
   public:
    void notify();    // wakes the test's wait_for_child
    void wait_for();  // until the test calls tell; the child ends here when the test is over

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

  /// Until the child calls tell. False: it ended without.
  [[nodiscard]] bool wait_for();
  void notify();
  /// Ends it at once, as a crash would; what it had ended with, if it had ended by itself.
  ChildEnd kill();
  /// Until it ends by itself.
  [[nodiscard]] ChildEnd wait_for_end();

 private:
  pid_t pid_ = -1;
  int turns_in_ = -1;   // bytes from the child's tell
  int turns_out_ = -1;  // bytes to the child's wait_for
  int said_in_ = -1;
};

/// Runs a program, found through PATH, with no input; its end and everything it printed.
[[nodiscard]] ChildEnd run_program(const std::vector<std::string>& arguments);

/// A program that stays: lines to its input, lines from its output. Killed by the destructor.
class Program {
 public:
  explicit Program(const std::vector<std::string>& arguments);
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  void send(const std::string& line);  // a newline is added
  /// The next line of either stream, without its newline; empty at the end of the output.
  [[nodiscard]] std::string read_line();
  /// Closes its input and waits for its end; `said` is what read_line has not read.
  [[nodiscard]] ChildEnd finish();

 private:
  pid_t pid_ = -1;
  int in_ = -1;   // its output
  int out_ = -1;  // its input
};

}  // namespace ashmemo::test
