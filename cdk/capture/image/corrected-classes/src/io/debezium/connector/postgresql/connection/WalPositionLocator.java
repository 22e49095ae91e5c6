/*
 * Copyright Debezium Authors.
 *
 * Licensed under the Apache Software License version 2.0, available at http://www.apache.org/licenses/LICENSE-2.0
 */
// Debezium's file of version 3.7.0.Final, changed: what was added stands between "Tidemark: begin" and "Tidemark: end".
// Nothing was taken away. README.md says why.
package io.debezium.connector.postgresql.connection;

import java.util.HashSet;
import java.util.Optional;
import java.util.Set;

import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

import io.debezium.DebeziumException;
import io.debezium.connector.postgresql.connection.ReplicationMessage.Operation;

/**
 * This class is responsible for finding out the LSN from which Debezium should resume streaming after the connector
 * restarts.
 * <p>
 * The order in which the changes appear in a logical replication connection may differ from the order in which they
 * were appended to the WAL. The WAL sender serializes parallel transactions and sends them to the client in the order
 * in which they were committed. Therefore, from the logical replication client's standpoint,
 * <ul>
 *     <li>Only the LSNs of transaction commits are ordered globally.</li>
 *     <li>The LSNs of changes are ordered only within their respective transaction.</li>
 * </ul>
 * It is thus necessary to find out the beginning of the unprocessed transaction and the LSN from which the streaming
 * should start.
 *
 * @author Jiri Pechanec
 *
 */
public class WalPositionLocator {

    private static final Logger LOGGER = LoggerFactory.getLogger(WalPositionLocator.class);

    // Tidemark: begin
    static {
        LOGGER.info("The corrected WalPositionLocator is loaded: events that share an LSN are sent again whole");
    }
    // Tidemark: end

    private final Lsn lastCommitStoredLsn;
    private final Lsn lastEventStoredLsn;
    private final Operation lastProcessedMessageType;
    private final long lastEventStoredLsnEventsProcessed;
    private Lsn txStartLsn = null;
    private Lsn lsnAfterLastEventStoredLsn = null;
    private Lsn firstLsnReceived = null;
    private boolean passMessages = true;
    private Lsn startStreamingLsn = null;
    private boolean storeLsnAfterLastEventStoredLsn = false;
    private Set<Lsn> lsnSeen = new HashSet<>(1_000);
    private long currentLsnEventCount = 0;
    private long startStreamingEventsToSkip = 0;
    private boolean skipProcessedLogicalMessage = false;

    public WalPositionLocator(Lsn lastCommitStoredLsn, Lsn lastEventStoredLsn, Operation lastProcessedMessageType) {
        this(lastCommitStoredLsn, lastEventStoredLsn, lastProcessedMessageType, 0);
    }

    public WalPositionLocator(Lsn lastCommitStoredLsn, Lsn lastEventStoredLsn, Operation lastProcessedMessageType, long lsnEventsProcessed) {
        this.lastCommitStoredLsn = lastCommitStoredLsn;
        this.lastEventStoredLsn = lastEventStoredLsn;
        this.lastProcessedMessageType = lastProcessedMessageType;
        this.lastEventStoredLsnEventsProcessed = lsnEventsProcessed;

        LOGGER.info("Looking for WAL restart position for last commit LSN '{}' and last change LSN '{}', events processed at LSN '{}'",
                lastCommitStoredLsn, lastEventStoredLsn, lsnEventsProcessed);
    }

    public WalPositionLocator() {
        this.lastCommitStoredLsn = null;
        this.lastEventStoredLsn = null;
        this.lastProcessedMessageType = null;
        this.lastEventStoredLsnEventsProcessed = 0;

        LOGGER.info("WAL position will not be searched");
    }

    /**
     * @return the first LSN from which processing should be started or empty if
     *         the position has not been found yet
     */
    public Optional<Lsn> resumeFromLsn(Lsn currentLsn, ReplicationMessage message) {
        LOGGER.trace("Processing LSN '{}', operation '{}' during WAL position search", currentLsn, message.getOperation());

        lsnSeen.add(currentLsn);

        if (firstLsnReceived == null) {
            firstLsnReceived = currentLsn;
            LOGGER.info("First LSN '{}' received", firstLsnReceived);
        }
        // Tidemark: begin
        // The stored LSN is that of a COMMIT or of a message outside transactions: all before it was sent, and only what
        // commits after it comes. An event at this LSN is then the next record of the log, in whatever transaction:
        // searching for it would pass over that transaction's events before it.
        if (lastEventStoredLsnEventsProcessed == 0 && lastEventStoredLsn.equals(lastCommitStoredLsn)) {
            startStreamingLsn = firstLsnReceived;
            LOGGER.info("Will restart from the first LSN '{}', as all before the stored LSN '{}' was sent", startStreamingLsn, lastEventStoredLsn);
            return Optional.of(startStreamingLsn);
        }
        // The stored LSN is that of a row or of a message in a transaction, which may share it with others: the count of
        // those that were sent is not relied on. The first event at this LSN is the message, the BEGIN before the rows,
        // the first of the rows, or one of an earlier transaction: never one behind what was not sent.
        if (currentLsn.equals(lastEventStoredLsn)) {
            startStreamingLsn = lastEventStoredLsn;
            LOGGER.info("Will restart from the first event of LSN '{}'", startStreamingLsn);
            return Optional.of(startStreamingLsn);
        }
        // Tidemark: end
        if (storeLsnAfterLastEventStoredLsn) {
            // Event that immediately follows the last event seen
            // We can resume streaming from it
            if (currentLsn.equals(lastEventStoredLsn)) {
                // Multiple events can share the same LSN (e.g. COPY or batched inserts).
                // Count events at this LSN to find the precise resume point.
                currentLsnEventCount++;

                // Same-LSN skip logic only applies when multiple DML events share the same LSN
                // (e.g. COPY or batched inserts). When lsnEventsProcessed is 1, the existing
                // "find next different LSN" logic handles restart correctly.
                if (lastEventStoredLsnEventsProcessed > 1 && currentLsnEventCount <= lastEventStoredLsnEventsProcessed) {
                    LOGGER.trace("At LSN '{}', event count {} <= processed count {}, continuing search",
                            currentLsn, currentLsnEventCount, lastEventStoredLsnEventsProcessed);
                    return Optional.empty();
                }

                // We've passed all processed events at this LSN and there are more events remaining.
                // Resume from this LSN, skipping the already-processed events during the replay phase.
                if (lastEventStoredLsnEventsProcessed > 1) {
                    startStreamingLsn = lastEventStoredLsn;
                    startStreamingEventsToSkip = lastEventStoredLsnEventsProcessed;
                    LOGGER.info("Will restart from LSN '{}' skipping first {} already-processed events",
                            startStreamingLsn, startStreamingEventsToSkip);
                    return Optional.of(startStreamingLsn);
                }

                // BEGIN and first message after change have the same LSN
                if (txStartLsn != null
                        && (lastProcessedMessageType == null || lastProcessedMessageType == Operation.BEGIN || lastProcessedMessageType == Operation.COMMIT)) {
                    // start from the BEGIN tx; prevent skipping of unprocessed event after BEGIN or previous tx COMMIT
                    LOGGER.info("Will restart from LSN '{}' corresponding to the event following the BEGIN event", txStartLsn);
                    startStreamingLsn = txStartLsn;
                    return Optional.of(startStreamingLsn);
                }
                if (lastProcessedMessageType == Operation.MESSAGE) {
                    startStreamingLsn = currentLsn;
                    skipProcessedLogicalMessage = true;
                    LOGGER.info("Last processed event was MESSAGE operation; will restart from LSN '{}' and skip that MESSAGE operation", currentLsn);
                    return Optional.of(currentLsn);
                }
                return Optional.empty();
            }
            lsnAfterLastEventStoredLsn = currentLsn;
            storeLsnAfterLastEventStoredLsn = false;
            LOGGER.info("LSN after last stored change LSN '{}' received", lsnAfterLastEventStoredLsn);
            startStreamingLsn = lsnAfterLastEventStoredLsn;
            return Optional.of(startStreamingLsn);
        }
        if (currentLsn.equals(lastEventStoredLsn)) {
            // debezium/dbz#76: In PG 17+, a COMMIT's txn->end_lsn (byte after the COMMIT WAL record)
            // can equal the next transaction's first DML change->lsn. When the stored offset
            // records a COMMIT at this LSN but the stream delivers a non-COMMIT event at the
            // same position, it is a false match — the stored transaction was fully processed
            // and this event belongs to the next unprocessed transaction.
            if (lastProcessedMessageType == Operation.COMMIT && message.getOperation() != Operation.COMMIT
                    && lastCommitStoredLsn != null && lastCommitStoredLsn.equals(lastEventStoredLsn)) {
                LOGGER.info("Detected false LSN match at '{}': stored event was COMMIT but received {}. Resuming from '{}'",
                        currentLsn, message.getOperation(), firstLsnReceived);
                startStreamingLsn = firstLsnReceived;
                return Optional.of(startStreamingLsn);
            }

            storeLsnAfterLastEventStoredLsn = true;
            // Start counting events at this LSN
            currentLsnEventCount = 1;

            // If we have a counter and this is not the last event at this LSN, stay in searching mode
            if (lastEventStoredLsnEventsProcessed > 1) {
                LOGGER.trace("At LSN '{}', starting same-LSN event count, processed count is {}",
                        currentLsn, lastEventStoredLsnEventsProcessed);
                return Optional.empty();
            }
        }

        if (lastCommitStoredLsn == null) {
            startStreamingLsn = firstLsnReceived;
            return Optional.of(startStreamingLsn);
        }

        // For non-transactional MESSAGE operations, lastCommitStoredLsn equals lastEventStoredLsn
        // (both set to the MESSAGE's LSN). Since the MESSAGE was fully processed and committed,
        // we can safely resume from the first LSN received after restart.
        if (lastProcessedMessageType == Operation.MESSAGE && lastCommitStoredLsn.equals(lastEventStoredLsn)) {
            LOGGER.info("Last processed event was MESSAGE operation at LSN '{}', will restart from first LSN '{}'",
                    lastEventStoredLsn, firstLsnReceived);
            startStreamingLsn = firstLsnReceived;
            return Optional.of(startStreamingLsn);
        }

        switch (message.getOperation()) {
            case BEGIN:
                txStartLsn = currentLsn;
                break;
            case MESSAGE:
                LOGGER.trace("Processing MESSAGE operation at LSN '{}' during WAL position search", currentLsn);
                break;
            case COMMIT:
                if (currentLsn.compareTo(lastCommitStoredLsn) > 0) {
                    LOGGER.info("Received COMMIT LSN '{}' larger than last stored commit LSN '{}'", currentLsn,
                            lastCommitStoredLsn);
                    if (lsnAfterLastEventStoredLsn != null) {
                        startStreamingLsn = lsnAfterLastEventStoredLsn;
                        LOGGER.info("Will restart from LSN '{}' that follows the lastest stored", startStreamingLsn);
                        return Optional.of(startStreamingLsn);
                    }
                    else if (txStartLsn != null) {
                        // Transaction that has not been processed and at the same
                        // time the event following the last seen was not met so
                        // replaying from the start of transaction
                        startStreamingLsn = txStartLsn;
                        LOGGER.info("Will restart from LSN '{}' that is start of the first unprocessed transaction", startStreamingLsn);
                        return Optional.of(startStreamingLsn);
                    }
                    else {
                        // Transaction that has not been processed and at the same
                        // time the event following the last seen was not met and
                        // transaction start event has not been met so replaying
                        // from the very first event
                        startStreamingLsn = firstLsnReceived;
                        LOGGER.info("Will restart from LSN '{}' that is the first LSN available", startStreamingLsn);
                        return Optional.of(startStreamingLsn);
                    }
                }
                break;
            default:
                break;
        }
        return Optional.empty();
    }

    /**
     * Decides whether the message with given LSN should be removed or not based on
     * previously located LSN point.
     *
     * @param lsn
     * @return true if the message should be skipped, false otherwise
     */
    public boolean skipMessage(Lsn lsn) {
        if (passMessages) {
            return false;
        }
        if (startStreamingLsn == null || startStreamingLsn.equals(lsn)) {
            if (startStreamingEventsToSkip > 0) {
                startStreamingEventsToSkip--;
                LOGGER.debug("Message with LSN '{}' skipped, {} events remaining to skip", lsn, startStreamingEventsToSkip);
                return true;
            }
            LOGGER.info("Message with LSN '{}' arrived, switching off the filtering", lsn);
            passMessages = true;
            lsnSeen = new HashSet<>(); // Empty the Map as it might be large and is no longer needed
            return false;
        }
        if (lsn.isValid() && !lsnSeen.contains(lsn)) {
            throw new DebeziumException(String.format(
                    "Message with LSN '%s' not present among LSNs seen in the location phase '%s'. This is unexpected and can lead to an infinite loop or a data loss.",
                    lsn,
                    lsnSeen));
        }
        LOGGER.debug("Message with LSN '{}' filtered", lsn);
        return true;
    }

    public boolean skipProcessedLogicalMessage(Lsn lsn) {
        if (skipProcessedLogicalMessage && startStreamingLsn != null && startStreamingLsn.equals(lsn)) {
            skipProcessedLogicalMessage = false;
            passMessages = true;
            lsnSeen = new HashSet<>();
            LOGGER.info("Processed MESSAGE operation with LSN '{}' skipped, switching off the filtering", lsn);
            return true;
        }
        return false;
    }

    /**
     * Enables filtering of message LSNs based on calculated position.
     */
    public void enableFiltering() {
        passMessages = false;
    }

    /**
     * @return true if searching of WAL position should be executed
     */
    public boolean searchingEnabled() {
        return lastEventStoredLsn != null;
    }

    public Lsn getLastEventStoredLsn() {
        return lastEventStoredLsn;
    }

    public Lsn getLastCommitStoredLsn() {
        return lastCommitStoredLsn;
    }

    @Override
    public String toString() {
        return "WalPositionLocator [lastCommitStoredLsn=" + lastCommitStoredLsn + ", lastEventStoredLsn="
                + lastEventStoredLsn + ", lastProcessedMessageType=" + lastProcessedMessageType
                + ", lastEventStoredLsnEventsProcessed=" + lastEventStoredLsnEventsProcessed + ", txStartLsn="
                + txStartLsn + ", lsnAfterLastEventStoredLsn=" + lsnAfterLastEventStoredLsn + ", firstLsnReceived="
                + firstLsnReceived + ", passMessages=" + passMessages + ", startStreamingLsn=" + startStreamingLsn
                + ", storeLsnAfterLastEventStoredLsn=" + storeLsnAfterLastEventStoredLsn + ", startStreamingEventsToSkip="
                + startStreamingEventsToSkip + "]";
    }
}
