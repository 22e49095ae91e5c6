package tidemark.correction;

import io.debezium.connector.postgresql.connection.Lsn;
import java.util.Optional;
import java.util.Set;
import net.bytebuddy.asm.Advice;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * After a restart the task goes on with the first event of the stored LSN, even when events of it were already sent.
 * Rows of a COPY share an LSN, and a count of the sent ones cannot be relied on
 * (docs/decisions/007-a-corrected-debezium-class.md).
 */
public final class RowsThatShareAnLsnComeAgainWhole {
    private static final Logger LOGGER = LoggerFactory.getLogger(RowsThatShareAnLsnComeAgainWhole.class);

    private RowsThatShareAnLsnComeAgainWhole() {}

    @Advice.OnMethodEnter(skipOn = Advice.OnNonDefaultValue.class)
    static Lsn enter(
            @Advice.Argument(0) Lsn current,
            @Advice.FieldValue("lastEventStoredLsn") Lsn stored,
            @Advice.FieldValue("lastCommitStoredLsn") Lsn storedCommit,
            @Advice.FieldValue("lastEventStoredLsnEventsProcessed") long sentOfStored,
            @Advice.FieldValue("lsnSeen") Set<Lsn> seen,
            @Advice.FieldValue(value = "firstLsnReceived", readOnly = false) Lsn first,
            @Advice.FieldValue(value = "startStreamingLsn", readOnly = false) Lsn start) {
        seen.add(current);
        if (first == null) first = current;
        Lsn found = startAt(current, first, stored, storedCommit, sentOfStored);
        if (found != null) start = found;
        return found;
    }

    @Advice.OnMethodExit
    static void exit(@Advice.Enter Lsn found, @Advice.Return(readOnly = false) Optional<Lsn> returned) {
        if (found != null) returned = Optional.of(found);
    }

    /** The LSN at which the task goes on; null leaves it to Debezium's own search. */
    public static Lsn startAt(Lsn current, Lsn first, Lsn stored, Lsn storedCommit, long sentOfStored) {
        if (stored == null) return null;
        // Everything before a stored commit was sent, and Postgres sends only what commits after it. So an event at
        // this LSN is the next one of the log, in whichever transaction. A search for it would skip the events before
        // it.
        if (sentOfStored == 0 && stored.equals(storedCommit)) {
            LOGGER.info("Will restart from the first LSN '{}', as all before the stored LSN '{}' was sent", first, stored);
            return first;
        }
        // This is the message itself, the BEGIN before the rows, the first of the rows, or an event of a transaction
        // that committed earlier. It is never an event after a row that was not sent.
        if (current.equals(stored)) {
            LOGGER.info("Will restart from the first event of LSN '{}'", stored);
            return stored;
        }
        return null;
    }
}
