SELECT medzen.begin_rollback('000012_people_api');

DROP FUNCTION medzen_api.list_pending_deletions;
DROP FUNCTION medzen_api.list_recording_holds;
DROP FUNCTION medzen_api.search_audit;
DROP FUNCTION medzen_api.list_accesses_to_me;
DROP FUNCTION medzen_api.withdraw_consent;
DROP FUNCTION medzen_api.give_consent;
DROP FUNCTION medzen_api.list_my_consents;
DROP FUNCTION medzen_api.get_my_recording;
DROP FUNCTION medzen_api.list_my_recordings;
DROP INDEX medzen.recording_pending_deletion;
DROP FUNCTION medzen.save_own_consent;
DROP FUNCTION medzen.lock_consent_session;
DROP FUNCTION medzen.open_found;
DROP FUNCTION medzen.open_event;
DROP FUNCTION medzen.recording_for_participant;
DROP FUNCTION medzen.record_listing;
DROP FUNCTION medzen.purpose_of_person;
DROP FUNCTION medzen.check_page;
DROP FUNCTION medzen.check_text;
DROP FUNCTION medzen.refuse_person;
DROP FUNCTION medzen.person_as_patient;
DROP FUNCTION medzen.current_person;
DROP FUNCTION medzen.current_patient;

DELETE FROM medzen.permission WHERE starts_with(function, 'medzen_api.');

-- Takes the schema of people from them again.
SELECT medzen.apply_permissions();
