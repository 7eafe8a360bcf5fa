SELECT medzen.begin_rollback('000005_recording', 'recording', 'recording_participant', 'retention_subject');

DROP FUNCTION medzen.note_access;
DROP FUNCTION medzen.change_recording;
DROP FUNCTION medzen.list_recordings;
DROP FUNCTION medzen.find_recording;
DROP FUNCTION medzen.get_recording;
DROP TRIGGER consent_stops_recording ON medzen.consent;
DROP FUNCTION medzen.request_stops;
DROP FUNCTION medzen.start_recording;
DROP FUNCTION medzen.check_keep;
DROP FUNCTION medzen.recording_in_the_way;
DROP FUNCTION medzen.recording_json;
DROP FUNCTION medzen.first_look;
DROP FUNCTION medzen.next_states;
DROP POLICY recording_participants ON medzen.recording;
DROP TABLE medzen.postponed;
DROP TABLE medzen.webhook_seen;
DROP TABLE medzen.recording_participant;
DROP FUNCTION medzen.is_beyond_recall;
DROP TABLE medzen.recording;
DROP SEQUENCE medzen.claim_token;
DROP TABLE medzen.retention_subject;
DROP FUNCTION medzen.guard_recording;

DELETE FROM medzen.permission WHERE function IN ('start_recording', 'get_recording', 'find_recording', 'list_recordings',
  'change_recording', 'note_access');
