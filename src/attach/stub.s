# The only code that runs in the target before the agent. Two threads run it: the hijacked one
# from `hijacked` on, and the one that it creates from `thread` on. Names in braces are offsets in
# `Context` and numbers of Linux; see stub.rs.

    .pushsection .rodata.leakhunt_stub,"a",@progbits
    .balign 16
    .globl leakhunt_stub_start, leakhunt_stub_hijacked, leakhunt_stub_end

leakhunt_stub_start:

# rdi: the context. Stack: 16-byte aligned, ours.
leakhunt_stub_hijacked:
    mov r12, rdi

# Both ends of the channel straight into the context.
    mov eax, {SYS_SOCKETPAIR}
    mov edi, {AF_UNIX}
    mov esi, {SOCKET_KIND}
    xor edx, edx
    lea r10, [r12 + {SOCKET}]
    syscall
    test eax, eax
    jnz 2f

# A detached thread; it polls the agent's end.
    mov eax, [r12 + {SOCKET}]
    mov [r12 + {POLL}], eax
    lea rdi, [r12 + {ATTRIBUTES}]
    call [r12 + {ATTR_INIT}]
    lea rdi, [r12 + {ATTRIBUTES}]
    mov esi, {STACK_SIZE}
    call [r12 + {ATTR_SETSTACKSIZE}]
    lea rdi, [r12 + {ATTRIBUTES}]
    mov esi, {DETACHED}
    call [r12 + {ATTR_SETDETACHSTATE}]
    lea rdi, [r12 + {THREAD}]
    lea rsi, [r12 + {ATTRIBUTES}]
    lea rdx, [rip + leakhunt_stub_thread]
    mov rcx, r12
    call [r12 + {THREAD_CREATE}]
    test eax, eax
    jz 2f

# No thread: nobody else will close the channel.
    mov r13d, eax
    mov eax, {SYS_CLOSE}
    mov edi, [r12 + {SOCKET}]
    syscall
    mov eax, {SYS_CLOSE}
    mov edi, [r12 + {PEER}]
    syscall
    mov eax, r13d

# Tell the command line, and wait for it to take this thread back to where it was. The wait must
# not be one that the kernel restarts by the thread's restart block (poll, nanosleep, a timed
# futex): that one still belongs to the system call which was interrupted.
2:  mov [r12 + {RESULT}], eax
    mov dword ptr [r12 + {DONE}], 1
    mov eax, {SYS_PPOLL}
    xor edi, edi
    xor esi, esi
    lea rdx, [r12 + {PATIENCE}]
    xor r10d, r10d
    mov r8d, 8
    syscall

# The command line is gone. Go back alone: the frame on this thread's own stack is that of a signal
# handler, and returning from it restores all registers and the signal mask.
    mov dword ptr [r12 + {IS_BACK}], 1
    mov rsp, [r12 + {SIGNAL_FRAME}]
    mov eax, {SYS_RT_SIGRETURN}
    syscall
    ud2

    .balign 16
# rdi: the context. Stack: that of a new thread, a return address on top.
leakhunt_stub_thread:
    push rbx
    push r12
    push r13
    mov rbx, rdi

# Wait for the go of the command line, which comes when the hijacked thread is back.
3:  mov r12d, [rbx + {IS_BACK}]
    mov eax, {SYS_POLL}
    lea rdi, [rbx + {POLL}]
    mov esi, 1
    mov edx, {WAIT_MS}
    syscall
    test eax, eax
    jg 5f

# Nothing came. Stay while the hijacked thread may still be on this page; once it has been back for
# a whole wait, leave.
    test r12d, r12d
    jz 3b
    mov eax, {SYS_CLOSE}
    mov edi, [rbx + {SOCKET}]
    syscall
    mov eax, {SYS_CLOSE}
    mov edi, [rbx + {PEER}]
    syscall
    jmp 7f

# Something came: one byte, or the end because somebody in the target closed the channel, whose
# numbers may then belong to something else.
5:  xor eax, eax
    mov edi, [rbx + {SOCKET}]
    lea rsi, [rbx + {GO}]
    mov edx, 1
    syscall
    cmp rax, 1
    je 6f
    mov r12d, [rbx + {IS_BACK}]
    mov eax, {SYS_POLL}
    xor edi, edi
    xor esi, esi
    mov edx, {WAIT_MS}
    syscall
    test r12d, r12d
    jz 5b
    jmp 7f

6:  mov rdi, rbx
    call [rbx + {AGENT}]
    test eax, eax
    jnz 8f

# Unmap all of this, and let munmap return straight to where this thread came from.
7:  mov rdi, [rbx + {MAP_START}]
    mov rsi, [rbx + {MAP_LEN}]
    mov rax, [rbx + {MUNMAP}]
    pop r13
    pop r12
    pop rbx
    jmp rax

# The agent is still needed here: leave the mapping.
8:  xor eax, eax
    pop r13
    pop r12
    pop rbx
    ret

leakhunt_stub_end:
    .popsection
